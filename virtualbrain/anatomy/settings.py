"""What a user can choose about anatomy."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from virtualbrain.errors import ConfigError

AtlasSpace = Literal["MNI", "T1w"]
BrainExtraction = Literal["robex", "template"]
Registration = Literal["standard", "quick"]
Reconstruction = Literal["none", "recon-all", "fastsurfer"]
BUILT_IN = ("DesikanKilliany", "Destrieux")


@dataclass(frozen=True)
class AnatomySettings:
    """Choices of the anatomy stage; the defaults are those of config/config.yaml.

    Parameters
    ----------
    atlas : str
        ``DesikanKilliany`` or ``Destrieux``, or with `atlas_image` the label of one's own.
    atlas_image, atlas_table : str
        A NIfTI label image of one's own and its label table (``.tsv`` with the columns index
        and name, or a FreeSurfer or MRtrix lookup table ``.txt``); empty: the built-in atlas.
        ``{label}`` in `atlas_image` stands for the participant's label.
    atlas_space : {"MNI", "T1w"}
        Where `atlas_image` lies: MNI152, or the patient's own T1.
    join_subcortex : bool
        Whether an atlas without any subcortical region gets the fourteen of Desikan-Killiany.
    use_freesurfer : bool
        Whether a FreeSurfer subject in the dataset is used in place of the built-in route.
    reconstruct : {"none", "recon-all", "fastsurfer"}
        Whether a patient without a FreeSurfer subject gets one, by a program that is installed.
    brain_extraction : {"robex", "template"}
        ROBEX, or the template's mask after registration (also used where ROBEX cannot run).
    registration : {"standard", "quick"}
        Effort of the non-linear registration; standard works at 2 mm, quick at
        3 mm.
    working_mm : float
        Voxels coarser or finer than this by more than a third are resampled to it inside.
    label_reach_mm : float
        How far a cortical label may spread along the patient's own grey matter.
    surface_spacing_mm : float
        Spacing of the pial surface's vertices on the built-in route.
    """

    atlas: str = "DesikanKilliany"
    atlas_image: str = ""
    atlas_table: str = ""
    atlas_space: AtlasSpace = "MNI"
    join_subcortex: bool = True
    use_freesurfer: bool = True
    reconstruct: Reconstruction = "none"
    brain_extraction: BrainExtraction = "robex"
    registration: Registration = "standard"
    working_mm: float = 1.0
    label_reach_mm: float = 4.0
    surface_spacing_mm: float = 2.0

    @property
    def reconstructs(self) -> bool:
        """Whether recon-all or FastSurfer is asked for."""
        return self.use_freesurfer and self.reconstruct != "none"

    def of_patient(self, label: str) -> "AnatomySettings":
        """Return the settings with the participant's label in the atlas' path."""
        return replace(self, atlas_image=self.atlas_image.replace("{label}", label))

    def __post_init__(self) -> None:
        if not self.atlas.isalnum():
            raise ConfigError(
                f"the atlas label {self.atlas!r} is not a label",
                where="anatomy.atlas",
                expected="letters and digits only",
                hint="name the file in atlas_image and give it a short label here",
            )
        for name, kind in (
            ("atlas_space", AtlasSpace),
            ("reconstruct", Reconstruction),
            ("brain_extraction", BrainExtraction),
            ("registration", Registration),
        ):
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(
                    f"{getattr(self, name)!r} is not known",
                    where=f"anatomy.{name}",
                    expected=" or ".join(get_args(kind)),
                )
        for name, low, high in (
            ("working_mm", 0.5, 4.0),
            ("label_reach_mm", 0.0, 20.0),
            ("surface_spacing_mm", 1.0, 8.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}",
                    where=f"anatomy.{name}",
                    expected=f"{low} to {high} mm",
                )
