"""Where each result stands under OUT: the only place that knows the names of output files."""

from dataclasses import dataclass
from pathlib import Path

COHORT = "cohort"


NOT_IN_BIDS = (
    "*.html",
    "cohort.*",
    "ledger",
    "ledger/**",
    "logs",
    "logs/**",
    "benchmarks",
    "benchmarks/**",
    "work",
    "work/**",
    "sub-*/*.json",
    "sub-*/workflow",
    "sub-*/workflow/**",
    "sub-*/connectome",
    "sub-*/connectome/**",
    "sub-*/ieeg",
    "sub-*/ieeg/**",
    "sub-*/inference",
    "sub-*/inference/**",
    "sub-*/surgery",
    "sub-*/surgery/**",
    "sub-*/tvb",
    "sub-*/tvb/**",
    "*_qc.json",
    "*_pial.surf.gii",
    "*.mif",
    "*_weights.txt",
    "*_xfm.txt",
    "*.tck",
)
"""Results for which BIDS has no name yet: the lines of .bidsignore."""


def ledger_folder(out: Path) -> Path:
    """Return the folder of the checksums that every stage leaves of what it read and wrote."""
    return Path(out) / "ledger"


def cohort_page(out: Path) -> Path:
    """Return the page over all patients."""
    return Path(out) / "cohort.html"


def cohort_table(out: Path) -> Path:
    """Return the table over all patients."""
    return Path(out) / "cohort.tsv"


@dataclass(frozen=True)
class PatientLayout:
    """Names of one patient's results.

    Parameters
    ----------
    out : Path
        The output folder.
    label : str
        The participant's label, without ``sub-``.
    atlas : str
        The atlas' label, as in ``atlas-<A>``.
    """

    out: Path
    label: str
    atlas: str = "DesikanKilliany"

    @classmethod
    def of_results(cls, out: Path | str, label: str) -> "PatientLayout":
        """Return the layout with the atlas that the results found under `out` state."""
        anywhere = cls(Path(out), label, "*")
        for path in (anywhere.connectome_regions, anywhere.regions, anywhere.relmat("streamlines")):
            for found in sorted(path.parent.glob(path.name)):
                return cls(Path(out), label, found.name.split("_atlas-")[1].split("_")[0])
        return cls(Path(out), label)

    def _folder(self, name: str) -> Path:
        return Path(self.out) / f"sub-{self.label}" / name

    def _name(self, folder: str, rest: str) -> Path:
        return self._folder(folder) / f"sub-{self.label}_{rest}"

    # checked input -----------------------------------------------------------------
    @property
    def inputs(self) -> Path:
        """Checksums of every input file, written when the check has passed."""
        return Path(self.out) / f"sub-{self.label}" / "inputs.json"

    # folders that one stage writes as a whole ------------------------------------------
    @property
    def anatomy(self) -> Path:
        """Folder of the anatomy's results."""
        return self._folder("anat")

    @property
    def connectome(self) -> Path:
        """Folder of the connectome."""
        return self._folder("connectome")

    @property
    def seeg(self) -> Path:
        """Folder of the recording's results."""
        return self._folder("ieeg")

    @property
    def freesurfer(self) -> Path:
        """FreeSurfer or FastSurfer subject that the anatomy stage had made, when asked to."""
        return Path(self.out) / "freesurfer" / f"sub-{self.label}"

    # anatomy -----------------------------------------------------------------------
    @property
    def t1(self) -> Path:
        """T1 without its bias field, in scanner RAS."""
        return self._name("anat", "desc-preproc_T1w.nii.gz")

    @property
    def brain_mask(self) -> Path:
        """Brain mask on the grid of `t1`."""
        return self._name("anat", "desc-brain_mask.nii.gz")

    @property
    def tissues(self) -> Path:
        """MRtrix five-tissue image (4D) on the grid of `t1`."""
        return self._name("anat", "desc-5tt_probseg.nii.gz")

    @property
    def labels(self) -> Path:
        """Region labels on the grid of `t1`."""
        return self._name("anat", f"atlas-{self.atlas}_dseg.nii.gz")

    @property
    def regions(self) -> Path:
        """Region table."""
        return self._name("anat", f"atlas-{self.atlas}_dseg.tsv")

    def pial(self, hemisphere: str) -> Path:
        """Pial surface (GIFTI, mm, scanner RAS) of hemisphere ``L`` or ``R``."""
        return self._name("anat", f"hemi-{hemisphere}_pial.surf.gii")

    def pial_labels(self, hemisphere: str) -> Path:
        """Region label of every vertex of `pial`."""
        return self._name("anat", f"hemi-{hemisphere}_atlas-{self.atlas}_dseg.label.gii")

    @property
    def anatomy_quality(self) -> Path:
        """Figures on registration and parcellation."""
        return self._name("anat", "desc-anatomy_qc.json")

    # diffusion ---------------------------------------------------------------------
    @property
    def dwi(self) -> Path:
        """Corrected diffusion series (MRtrix image, gradients in its header)."""
        return self._name("dwi", "desc-preproc_dwi.mif")

    @property
    def dwi_quality(self) -> Path:
        """Figures on the diffusion series."""
        return self._name("dwi", "desc-preproc_qc.json")

    @property
    def fod_quality(self) -> Path:
        """Figures on the fibre orientations and the alignment of T1 and diffusion."""
        return self._name("dwi", "desc-wm_qc.json")

    @property
    def tracks_quality(self) -> Path:
        """Figures on the tractography."""
        return self._name("dwi", "tracks_qc.json")

    @property
    def fod(self) -> Path:
        """Fibre orientation distributions of white matter (MRtrix image)."""
        return self._name("dwi", "desc-wm_fod.mif")

    @property
    def tissues_in_dwi(self) -> Path:
        """Five-tissue image moved to diffusion space."""
        return self._name("dwi", "space-dwi_desc-5tt_probseg.mif")

    @property
    def t1_to_dwi(self) -> Path:
        """Rigid transform from T1 to diffusion space (ITK text)."""
        return self._name("dwi", "from-T1w_to-dwi_xfm.txt")

    @property
    def alignment_picture(self) -> Path:
        """The T1's white matter over the diffusion series (PNG)."""
        return self._name("dwi", "desc-alignment_qc.png")

    @property
    def tracks(self) -> Path:
        """Streamlines (tck, diffusion space)."""
        return self._name("dwi", "tracks.tck")

    @property
    def track_weights(self) -> Path:
        """SIFT2 weight of every streamline."""
        return self._name("dwi", "desc-sift2_weights.txt")

    # connectome --------------------------------------------------------------------
    def relmat(self, stat: str) -> Path:
        """Named square matrix; `stat` is streamlines, length, count, density or reliability."""
        return self._name("connectome", f"atlas-{self.atlas}_stat-{stat}_relmat.tsv")

    @property
    def tvb_zip(self) -> Path:
        """The connectome as The Virtual Brain reads it."""
        return Path(self.out) / f"sub-{self.label}" / "connectome" / "connectivity.zip"

    @property
    def connectome_quality(self) -> Path:
        """Figures on the connectome."""
        return self._name("connectome", "desc-connectome_qc.json")

    @property
    def connectome_regions(self) -> Path:
        """Region table in the connectome's order (the same columns as `regions`)."""
        return self._name("connectome", f"atlas-{self.atlas}_dseg.tsv")

    # seeg --------------------------------------------------------------------------
    @property
    def contacts(self) -> Path:
        """Every contact with its place, region and status."""
        return self._name("ieeg", "desc-contacts.tsv")

    @property
    def channels(self) -> Path:
        """The channels that are fitted (bipolar by default)."""
        return self._name("ieeg", "desc-channels.tsv")

    @property
    def gain(self) -> Path:
        """Gain: channels by regions."""
        return self._name("ieeg", "desc-gain.tsv")

    def envelope(self, seizure: int) -> Path:
        """Log-power envelope of one seizure: column time_s, then channels."""
        return self._name("ieeg", f"seizure-{seizure:02d}_desc-envelope.tsv")

    def seizure_signal(self, seizure: int) -> Path:
        """Signal of the montage around one seizure, decimated for display (netCDF)."""
        return self._name("ieeg", f"seizure-{seizure:02d}_desc-signal.nc")

    @property
    def seeg_quality(self) -> Path:
        """Figures on the recording and the contacts."""
        return self._name("ieeg", "desc-seeg_qc.json")

    # inference, surgery, report -----------------------------------------------------
    def _inference(self, priors: str, name: str) -> Path:
        return Path(self.out) / f"sub-{self.label}" / "inference" / priors / name

    def posterior(self, priors: str) -> Path:
        """Posterior draws (netCDF with ArviZ's groups)."""
        return self._inference(priors, "posterior.nc")

    def diagnostics(self, priors: str) -> Path:
        """Verdict, reasons and every figure behind them."""
        return self._inference(priors, "diagnostics.json")

    def zones(self, priors: str) -> Path:
        """Ranked regions."""
        return self._inference(priors, "zones.tsv")

    def outcomes(self, priors: str) -> Path:
        """Ranked surgical plans."""
        return Path(self.out) / f"sub-{self.label}" / "surgery" / priors / "outcomes.tsv"

    def recruitment(self, priors: str) -> Path:
        """When each region starts to seize after each plan."""
        return self.outcomes(priors).with_name("recruitment.tsv")

    def stimulation(self, priors: str) -> Path:
        """Table of what stimulation at each planned pair starts and stops."""
        return self.outcomes(priors).with_name("stimulation.tsv")

    def next_regions(self, priors: str) -> Path:
        """Regions whose recording would say most about the plans."""
        return self.outcomes(priors).with_name("next.tsv")

    def predicted(self, priors: str) -> Path:
        """Prediction for the resection that was done."""
        return self.outcomes(priors).with_name("predicted.json")

    def tvb_export(self, priors: str) -> Path:
        """Folder for The Virtual Brain."""
        return Path(self.out) / f"sub-{self.label}" / "tvb" / priors

    @property
    def provenance(self) -> Path:
        """Inputs, configuration, versions, seeds, times."""
        return Path(self.out) / f"sub-{self.label}" / "provenance.json"

    @property
    def crate(self) -> Path:
        """RO-Crate metadata of all that stands beside it."""
        return self.inputs.with_name("ro-crate-metadata.json")

    @property
    def workflow(self) -> Path:
        """Folder with a copy of the workflow's own files, part of the crate."""
        return self._folder("workflow")

    @property
    def report(self) -> Path:
        """The report."""
        return Path(self.out) / f"sub-{self.label}.html"

    def work(self, stage: str) -> Path:
        """Folder for a stage's files that are not kept."""
        return Path(self.out) / "work" / f"sub-{self.label}" / stage

    def log(self, stage: str) -> Path:
        """Log of one stage."""
        return Path(self.out) / "logs" / f"sub-{self.label}" / f"{stage}.log"

    def benchmark(self, stage: str) -> Path:
        """Snakemake's benchmark of one stage."""
        return Path(self.out) / "benchmarks" / f"sub-{self.label}" / f"{stage}.tsv"
