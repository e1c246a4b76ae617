"""Define the settings of the anatomy stage: section ``anatomy`` of the configuration."""

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
    """Settings of the anatomy stage; the defaults are those of config/config.yaml.

    Parameters
    ----------
    atlas : str
        ``DesikanKilliany`` or ``Destrieux``; with `atlas_image`, the label of the user's atlas.
    atlas_image, atlas_table : str
        The user's NIfTI label image and its label table (``.tsv`` with the columns index and
        name, or a FreeSurfer or MRtrix lookup table ``.txt``); empty: the built-in atlas.
        ``{label}`` in `atlas_image` is replaced by the participant's label, ``{hemi}`` by ``lh``
        and ``rh`` if there is an image for each hemisphere. Four axes: probability maps.
    atlas_space : {"MNI", "T1w"}
        Space of `atlas_image`: MNI152 or the patient's T1.
    join_subcortex : bool
        Add the fourteen subcortical regions of Desikan-Killiany to an atlas that has none.
    use_freesurfer : bool
        Use the dataset's FreeSurfer subject instead of the built-in parcellation.
    reconstruct : {"none", "recon-all", "fastsurfer"}
        Program that computes a FreeSurfer subject where the dataset has none.
    brain_extraction : {"robex", "template"}
        ROBEX, or the registered mask of the template (also used if ROBEX cannot run).
    registration : {"standard", "quick"}
        Resolution of the non-linear registration: standard 2 mm, quick 3 mm.
    working_mm : float
        Voxel size of the computation. Images whose voxels differ by more than a third are
        resampled to it.
    tissue_mm : float
        Voxel size of the tissue segmentation, if the working voxels are finer by more than a third.
    label_reach_mm : float
        Largest distance over which a cortical label is extended to the patient's grey matter.
    surface_spacing_mm : float
        Vertex spacing of the built-in pial surface.
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
    tissue_mm: float = 1.0
    label_reach_mm: float = 4.0
    surface_spacing_mm: float = 2.0

    @property
    def reconstructs(self) -> bool:
        """Whether recon-all or FastSurfer must be run."""
        return self.use_freesurfer and self.reconstruct != "none"

    @property
    def freesurfer_atlas(self) -> str:
        """Atlas whose label image is read from a FreeSurfer subject."""
        return self.atlas if self.atlas in BUILT_IN else "DesikanKilliany"

    def of_patient(self, label: str) -> "AnatomySettings":
        """Return the settings with the participant's label inserted in `atlas_image`."""
        return replace(self, atlas_image=self.atlas_image.replace("{label}", label))

    def __post_init__(self) -> None:
        if not self.atlas.isalnum():
            raise ConfigError(
                f"the atlas label {self.atlas!r} is invalid",
                where="anatomy.atlas",
                expected="letters and digits only",
                hint="write the file name in atlas_image and a short label in atlas",
            )
        for name, kind in (
            ("atlas_space", AtlasSpace),
            ("reconstruct", Reconstruction),
            ("brain_extraction", BrainExtraction),
            ("registration", Registration),
        ):
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(
                    f"unknown value {getattr(self, name)!r}",
                    where=f"anatomy.{name}",
                    expected=" or ".join(get_args(kind)),
                )
        for name, low, high in (
            ("working_mm", 0.5, 4.0),
            ("tissue_mm", 0.5, 4.0),
            ("label_reach_mm", 0.0, 20.0),
            ("surface_spacing_mm", 1.0, 8.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}",
                    where=f"anatomy.{name}",
                    expected=f"{low} to {high} mm",
                )
