"""Names of all output files under OUT; no other module states them."""

from dataclasses import dataclass, replace
from pathlib import Path

COHORT = "cohort"


NOT_IN_BIDS = (
    "*.html",
    "cohort.*",
    "manifests",
    "manifests/**",
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
    "sub-*/cortex",
    "sub-*/cortex/**",
    "sub-*/export",
    "sub-*/export/**",
    "sub-*/ieeg",
    "sub-*/ieeg/**",
    "sub-*/inference",
    "sub-*/inference/**",
    "sub-*/maps",
    "sub-*/maps/**",
    "sub-*/stimulation",
    "sub-*/stimulation/**",
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
"""Lines of .bidsignore: results that BIDS has no names for."""


def manifest_folder(out: Path) -> Path:
    """Return the folder of all stage records."""
    return Path(out) / "manifests"


def cohort_page(out: Path) -> Path:
    """Return the report on all patients."""
    return Path(out) / "cohort.html"


def cohort_table(out: Path) -> Path:
    """Return the table of all patients."""
    return Path(out) / "cohort.tsv"


@dataclass(frozen=True)
class PatientLayout:
    """Paths of one patient's results.

    Parameters
    ----------
    out : Path
        The output folder.
    label : str
        The participant's label, without ``sub-``.
    atlas : str
        Label of the atlas, as in ``atlas-<A>``.
    """

    out: Path
    label: str
    atlas: str = "DesikanKilliany"

    @classmethod
    def of_results(cls, out: Path | str, label: str) -> "PatientLayout":
        """Return the layout of existing results under `out`, with the atlas in their names."""
        anywhere = cls(Path(out), label, "*")
        tables = (anywhere.connectome_regions, anywhere.regions, anywhere.relmat("streamlines"))
        return anywhere._of_the_first(*tables)

    @classmethod
    def of_anatomy(cls, out: Path | str, label: str) -> "PatientLayout":
        """Return the layout with the atlas of the anatomy; the connectome may be an older one's."""
        anywhere = cls(Path(out), label, "*")
        return anywhere._of_the_first(anywhere.regions)

    def _of_the_first(self, *patterns: Path) -> "PatientLayout":
        """Return the layout with the atlas in the name of the first file that exists."""
        for path in patterns:
            for found in sorted(path.parent.glob(path.name)):
                return replace(self, atlas=found.name.split("_atlas-")[1].split("_")[0])
        return PatientLayout(self.out, self.label)

    def _folder(self, name: str) -> Path:
        return Path(self.out) / f"sub-{self.label}" / name

    def _name(self, folder: str, rest: str) -> Path:
        return self._folder(folder) / f"sub-{self.label}_{rest}"

    # checked input -----------------------------------------------------------------
    @property
    def inputs(self) -> Path:
        """Checksums of every input file, written after the check."""
        return Path(self.out) / f"sub-{self.label}" / "inputs.json"

    # folders, each written by one stage ------------------------------------------------
    @property
    def anatomy(self) -> Path:
        """Folder of the anatomy."""
        return self._folder("anat")

    @property
    def connectome(self) -> Path:
        """Folder of the connectome."""
        return self._folder("connectome")

    @property
    def seeg(self) -> Path:
        """Folder of the SEEG results."""
        return self._folder("ieeg")

    @property
    def freesurfer(self) -> Path:
        """FreeSurfer or FastSurfer subject that the anatomy stage reconstructs on request."""
        return Path(self.out) / "freesurfer" / f"sub-{self.label}"

    # anatomy -----------------------------------------------------------------------
    @property
    def t1(self) -> Path:
        """Bias-corrected T1, in scanner RAS."""
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
        """Quality figures of registration and parcellation."""
        return self._name("anat", "desc-anatomy_qc.json")

    # diffusion ---------------------------------------------------------------------
    @property
    def dwi(self) -> Path:
        """Corrected diffusion series (MRtrix image, gradients in its header)."""
        return self._name("dwi", "desc-preproc_dwi.mif")

    @property
    def dwi_quality(self) -> Path:
        """Quality figures of the diffusion series."""
        return self._name("dwi", "desc-preproc_qc.json")

    @property
    def fod_quality(self) -> Path:
        """Quality figures of the FOD."""
        return self._name("dwi", "desc-wm_qc.json")

    @property
    def alignment_quality(self) -> Path:
        """Quality figures of the registration of T1 and diffusion series."""
        return self._name("dwi", "desc-alignment_qc.json")

    @property
    def tracks_quality(self) -> Path:
        """Quality figures of the tractography."""
        return self._name("dwi", "tracks_qc.json")

    @property
    def fod(self) -> Path:
        """Fibre orientation distributions of white matter (MRtrix image)."""
        return self._name("dwi", "desc-wm_fod.mif")

    @property
    def tissues_in_dwi(self) -> Path:
        """Five-tissue image in diffusion space."""
        return self._name("dwi", "space-dwi_desc-5tt_probseg.mif")

    @property
    def t1_to_dwi(self) -> Path:
        """Rigid transform from T1 to diffusion space (ITK text)."""
        return self._name("dwi", "from-T1w_to-dwi_xfm.txt")

    @property
    def alignment_picture(self) -> Path:
        """Outline of the T1's white matter on the diffusion series (PNG)."""
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
        """Matrix of regions; `stat` is streamlines, length, count, density or reliability."""
        return self._name("connectome", f"atlas-{self.atlas}_stat-{stat}_relmat.tsv")

    @property
    def tvb_zip(self) -> Path:
        """The connectome in the format of The Virtual Brain."""
        return Path(self.out) / f"sub-{self.label}" / "connectome" / "connectivity.zip"

    @property
    def connectome_quality(self) -> Path:
        """Quality figures of the connectome."""
        return self._name("connectome", "desc-connectome_qc.json")

    @property
    def connectome_regions(self) -> Path:
        """Region table in the connectome's order (the same columns as `regions`)."""
        return self._name("connectome", f"atlas-{self.atlas}_dseg.tsv")

    # seeg --------------------------------------------------------------------------
    @property
    def contacts(self) -> Path:
        """Contacts with coordinates, region and status."""
        return self._name("ieeg", "desc-contacts.tsv")

    @property
    def contacts_in_atlases(self) -> Path:
        """Regions of the contacts in several atlases."""
        return self._name("ieeg", "desc-atlases_contacts.tsv")

    @property
    def channels(self) -> Path:
        """Channels of the fit (bipolar by default)."""
        return self._name("ieeg", "desc-channels.tsv")

    @property
    def gain(self) -> Path:
        """Gain, channels by regions."""
        return self._name("ieeg", "desc-gain.tsv")

    def envelope(self, seizure: int) -> Path:
        """Log-power envelope of one seizure: column time_s, then channels."""
        return self._name("ieeg", f"seizure-{seizure:02d}_desc-envelope.tsv")

    def seizure_signal(self, seizure: int) -> Path:
        """Signal of the montage around one seizure, decimated for display (netCDF)."""
        return self._name("ieeg", f"seizure-{seizure:02d}_desc-signal.nc")

    @property
    def seeg_quality(self) -> Path:
        """Quality figures of the recording and the contacts."""
        return self._name("ieeg", "desc-seeg_qc.json")

    # stimulation -------------------------------------------------------------------
    @property
    def evoked_responses(self) -> Path:
        """Folder of the evoked responses."""
        return self._folder("stimulation")

    @property
    def stimulation_sites(self) -> Path:
        """Stimulated sites with trials, number of N1 and PCIst."""
        return self._name("stimulation", "desc-sites.tsv")

    def evoked(self, stat: str) -> Path:
        """Matrix of sites by channels; `stat` is amplitude, latency or probability."""
        return self._name("stimulation", f"stat-{stat}_relmat.tsv")

    @property
    def evoked_pairs(self) -> Path:
        """Pairs of regions with amplitude, latency and probability of the N1, and intervals."""
        return self._name("stimulation", "desc-regions_pairs.tsv")

    def evoked_regional(self, stat: str) -> Path:
        """Matrix of stimulated by recorded regions; `stat` as of `evoked`."""
        return self._name("stimulation", f"desc-regions_stat-{stat}_relmat.tsv")

    # inference, surgery, report -----------------------------------------------------
    def _inference(self, priors: str, name: str) -> Path:
        return Path(self.out) / f"sub-{self.label}" / "inference" / priors / name

    def posterior(self, priors: str) -> Path:
        """Posterior draws (netCDF with ArviZ groups)."""
        return self._inference(priors, "posterior.nc")

    def diagnostics(self, priors: str) -> Path:
        """Verdict, its reasons and all convergence diagnostics."""
        return self._inference(priors, "diagnostics.json")

    def zones(self, priors: str) -> Path:
        """Table of regions, ranked by p_ez."""
        return self._inference(priors, "zones.tsv")

    def ablation(self, priors: str) -> Path:
        """Fits to subsets of the data, from the command `degeneracy`."""
        return self._inference(priors, "ablation.tsv")

    def identifiability(self, priors: str) -> Path:
        """Table of what the recording fixes, from the command `degeneracy`."""
        return self._inference(priors, "identifiability.tsv")

    def next_data(self, priors: str) -> Path:
        """Value of one more electrode or seizure, from the command `degeneracy`."""
        return self._inference(priors, "next_data.tsv")

    def other_connectomes(self, priors: str) -> Path:
        """Fits with other connectomes, from the command `degeneracy`."""
        return self._inference(priors, "connectomes.tsv")

    def outcomes(self, priors: str) -> Path:
        """Table of surgical plans, ranked."""
        return Path(self.out) / f"sub-{self.label}" / "surgery" / priors / "outcomes.tsv"

    def recruitment(self, priors: str) -> Path:
        """Onset of each region after each plan."""
        return self.outcomes(priors).with_name("recruitment.tsv")

    def stimulation(self, priors: str) -> Path:
        """Effect of stimulation at each planned pair of contacts."""
        return self.outcomes(priors).with_name("stimulation.tsv")

    def next_regions(self, priors: str) -> Path:
        """Regions whose recording would be most informative about the plans."""
        return self.outcomes(priors).with_name("next.tsv")

    def explanations(self, priors: str) -> Path:
        """Zones that explain the recording about equally well."""
        return self.outcomes(priors).with_name("explanations.tsv")

    def subsets(self, priors: str) -> Path:
        """Outcomes of all subsets of the leading regions."""
        return self.outcomes(priors).with_name("subsets.tsv")

    def predicted(self, priors: str) -> Path:
        """Prediction for the performed resection."""
        return self.outcomes(priors).with_name("predicted.json")

    def maps(self, priors: str) -> Path:
        """Folder of maps, plans and contacts as NIfTI on the grid of the T1."""
        return self._folder("maps") / priors

    @property
    def cortex(self) -> Path:
        """Folder of the command `cortex`."""
        return self._folder("cortex")

    def cortex_mesh(self, n_vertices: int) -> Path:
        """Surface of a stated number of vertices with its geodesic distances (NumPy archive)."""
        return self._name("cortex", f"desc-{n_vertices}_mesh.npz")

    def cortex_run(self, priors: str, name: str) -> Path:
        """Folder of a named run of the command `cortex`."""
        return self.cortex / priors / name

    def cortex_result(self, priors: str, name: str, rest: str) -> Path:
        """One file of a named run of the command `cortex`."""
        return self.cortex_run(priors, name) / f"sub-{self.label}_{rest}"

    def cortex_page(self, priors: str, name: str) -> Path:
        """Page on which the seizure plays on the cortex."""
        return self.cortex_result(priors, name, "cortex.html")

    def stated_contacts(self, name: str) -> Path:
        """Contacts with the clinicians' marks, of a simulated hypothesis."""
        return self._inference(name, "contacts.tsv")

    @property
    def hypothesis_report(self) -> Path:
        """Report on a simulated hypothesis."""
        return Path(self.out) / f"sub-{self.label}" / "hypothesis.html"

    def tvb_export(self, priors: str) -> Path:
        """Folder for The Virtual Brain."""
        return Path(self.out) / f"sub-{self.label}" / "tvb" / priors

    @property
    def exports(self) -> Path:
        """Folder of all exports."""
        return self._folder("export")

    def export(self, priors: str, file_format: str) -> Path:
        """Folder of one export."""
        return self.exports / priors / file_format

    @property
    def provenance(self) -> Path:
        """Provenance: inputs, configuration, versions, seed and times."""
        return Path(self.out) / f"sub-{self.label}" / "provenance.json"

    @property
    def crate(self) -> Path:
        """RO-Crate metadata of the patient's results."""
        return self.inputs.with_name("ro-crate-metadata.json")

    @property
    def workflow(self) -> Path:
        """Copy of the workflow's files, part of the crate."""
        return self._folder("workflow")

    @property
    def report(self) -> Path:
        """The report."""
        return Path(self.out) / f"sub-{self.label}.html"

    def work(self, stage: str) -> Path:
        """Folder for a stage's temporary files."""
        return Path(self.out) / "work" / f"sub-{self.label}" / stage

    def log(self, stage: str) -> Path:
        """Log of one stage."""
        return Path(self.out) / "logs" / f"sub-{self.label}" / f"{stage}.log"

    def benchmark(self, stage: str) -> Path:
        """Snakemake's benchmark of one stage."""
        return Path(self.out) / "benchmarks" / f"sub-{self.label}" / f"{stage}.tsv"


def cortex_run_names(layout: PatientLayout, priors: str) -> tuple[str, ...]:
    """Return the finished runs on the cortex under a prior set, in the order of the alphabet."""
    folder = layout.cortex / priors
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(one.name for one in found if layout.cortex_page(priors, one.name).is_file())
