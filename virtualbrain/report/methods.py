"""Write the methods text with its references, for the stages that left results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtualbrain.io.results import PatientResults
from virtualbrain.quality_limits import NOT_FITTED
from virtualbrain.report import findings
from virtualbrain.report.numbers import show


@dataclass(frozen=True)
class Reference:
    """A published source."""

    key: str
    text: str


REFERENCES = (
    Reference(
        "Jirsa 2014",
        "Jirsa VK, Stacey WC, Quilichini PP, Ivanov AI, Bernard C. On the nature of seizure "
        "dynamics. Brain 137:2210-2230 (2014).",
    ),
    Reference(
        "Proix 2014",
        "Proix T, Bartolomei F, Chauvel P, Bernard C, Jirsa VK. Permittivity coupling across brain "
        "regions determines seizure recruitment in partial epilepsy. J Neurosci 34:15009-15021 "
        "(2014).",
    ),
    Reference(
        "Jirsa 2017",
        "Jirsa VK, Proix T, Perdikis D, et al. The Virtual Epileptic Patient: individualized "
        "whole-brain models of epilepsy spread. NeuroImage 145:377-388 (2017).",
    ),
    Reference(
        "Hashemi 2020",
        "Hashemi M, Vattikonda AN, Sip V, et al. The Bayesian Virtual Epileptic Patient. "
        "NeuroImage 217:116839 (2020).",
    ),
    Reference(
        "Févotte 2009",
        "Févotte C, Bertin N, Durrieu J-L. Nonnegative matrix factorization with the Itakura-Saito "
        "divergence: with application to music analysis. Neural Comput 21:793-830 (2009).",
    ),
    Reference(
        "Hoffman 2014",
        "Hoffman MD, Gelman A. The No-U-Turn sampler. J Mach Learn Res 15:1593-1623 (2014).",
    ),
    Reference(
        "Vehtari 2021",
        "Vehtari A, Gelman A, Simpson D, Carpenter B, Bürkner P-C. Rank-normalization, folding, "
        "and localization: an improved R-hat. Bayesian Anal 16:667-718 (2021).",
    ),
    Reference(
        "Tournier 2019",
        "Tournier J-D, Smith R, Raffelt D, et al. MRtrix3: a fast, flexible and open software "
        "framework for medical image processing and visualisation. NeuroImage 202:116137 (2019).",
    ),
    Reference(
        "Smith 2015",
        "Smith RE, Tournier J-D, Calamante F, Connelly A. SIFT2: enabling dense quantitative "
        "assessment of brain white matter connectivity. NeuroImage 119:338-351 (2015).",
    ),
    Reference(
        "Avants 2011",
        "Avants BB, Tustison NJ, Song G, et al. A reproducible evaluation of ANTs similarity "
        "metric performance in brain image registration. NeuroImage 54:2033-2044 (2011).",
    ),
    Reference(
        "Hyvärinen 2000",
        "Hyvärinen A, Oja E. Independent component analysis: algorithms and applications. Neural "
        "Networks 13:411-430 (2000).",
    ),
    Reference(
        "Makhalova 2022",
        "Makhalova J, Medina Villalon S, Wang H, et al. Virtual epileptic patient brain modeling: "
        "relationships with seizure onset and surgical outcome. Epilepsia 63:1942-1955 (2022).",
    ),
    Reference(
        "Comolatti 2019",
        "Comolatti R, Pigorini A, Casarotto S, et al. A fast and general method to empirically "
        "estimate the complexity of brain responses to transcranial and intracranial stimulations. "
        "Brain Stimul 12:1280-1289 (2019).",
    ),
    Reference(
        "niivue", "The 3D and slice views are drawn by niivue (BSD-2), shipped with nilearn."
    ),
)


def methods_text(results: PatientResults) -> tuple[str, ...]:
    """Return one paragraph for every stage that left results."""
    return tuple(
        text
        for text in (
            _anatomy(results),
            _connectome(results),
            _recording(results),
            _responses(results),
            _inference(results),
            _hypothesis(results),
            _surgery(results),
        )
        if text
    )


def _anatomy(results: PatientResults) -> str:
    if results.regions is None:
        return ""
    n = len(results.regions.frame)
    head = f"The brain was divided into {n} regions of the atlas {results.atlas}"
    if results.labels is None:
        return head + ". The regions are those of the ready connectome."
    if findings.template_anatomy(results):
        return (
            head + ". There is no MRI of this patient: regions, surfaces and slices are those of "
            "the template MNI152, in which the contacts were placed."
        )
    return (
        head + ". The atlas was registered to the patient's T1 (Avants 2011) unless a FreeSurfer "
        "subject was given. Coordinates are in mm, in the scanner space of the T1."
    )


def _connectome(results: PatientResults) -> str:
    if results.weights is None:
        return ""
    group = findings.group_connectome(results)
    if group:
        return (
            "There is no diffusion MRI of this patient: connection weights and tract lengths are "
            f"those of a group ({group}), and the priors of the connections are wider."
        )
    if "dwi" not in results.quality:
        return "Connection weights and tract lengths were given with the patient's data."
    quality = results.quality.get("connectome")
    number = f" ({show(quality.figures['streamlines'])} streamlines)" if quality else ""
    return (
        "Connections between regions were estimated from diffusion MRI with MRtrix3 (Tournier "
        f"2019): probabilistic tractography{number} with SIFT2 weights (Smith 2015)."
    )


def _recording(results: PatientResults) -> str:
    if not results.seizures:
        return ""
    return (
        "For each marked seizure and each channel, the envelope is the logarithm of band power "
        "above its baseline. A gain matrix states how strongly the activity of each region appears "
        "in each channel; it is computed from their positions. Recording and regions are linked by "
        "the gain only."
    )


def _responses(results: PatientResults) -> str:
    evoked = results.evoked
    if evoked is None or evoked.problem:
        return ""
    of_regions = ""
    if evoked.pairs is not None:
        how = evoked.pairs.sidecar.get("RegionalAmplitude", "mean over channels")
        of_regions = f" From region to region: N1 relative to the channel's background, {how}."
    return (
        "Responses to single pulses: the artefact was replaced by a straight line and the trials "
        "of a site were averaged. An N1 is the largest local extremum from 9 to 100 ms, without "
        "slow background (Gaussian of 30 ms), if it exceeds 4 standard deviations of the mean; its "
        "probability is the fraction of resamples of the trials that have one."
        f"{of_regions} PCIst is the complexity of the mean response (Comolatti "
        "2019)."
    )


def _inference(results: PatientResults) -> str:
    posterior = results.main.posterior
    if posterior is None:
        return ""
    attributes = posterior.attributes
    whose = (
        "connectome of a group" if attributes.get("group_connectome") else "patient's connectome"
    )
    if attributes["method"] == "onsets":
        return _onset_model(attributes)
    laplace = attributes["method"] == "laplace"
    how = (
        "a Laplace approximation at the best solution"
        if laplace
        else "the No-U-Turn sampler (Hoffman 2014); convergence was checked as in Vehtari 2021"
    )
    sources = (
        "First, the power of every region over time was estimated from the channels without the "
        "network (non-negative unmixing by the gain, Févotte 2009). Regions with early and strong "
        "power get a higher prior mean of x₀. "
        if float(attributes["x0_sources"]) > 0
        else ""
    )
    return (
        "Each region is a two-dimensional Epileptor (Jirsa 2014, Proix 2014), x' = 1 − x³ − 2x² − "
        "z + I₁, z' = (4(x − x₀) − z − K Σ C(xⱼ − xᵢ))/τ₀. The regions are coupled by the "
        f"{whose} (normalisation: {attributes['normalisation']}). Excitability x₀ of "
        "every region, coupling K, time scale τ₀, noise, amplitude and offsets were estimated "
        f"together, as in Hashemi 2020, with {how}. {sources}P(EZ) is the posterior probability "
        "that x₀ of a region exceeds the threshold above which it seizes without input from the "
        "network. P(PZ) is the probability that a region below this threshold is recruited by the "
        "network."
    )


def _onset_model(attributes: Mapping[str, Any]) -> str:
    sources = (
        " Regions whose power, unmixed from the channels without the network (Févotte 2009), is "
        "early and strong have a higher prior probability."
        if float(attributes["x0_sources"]) > 0
        else ""
    )
    count = int(attributes.get("n_components", 0))
    components = (
        f" The recording was separated into {count} independent components (Hyvärinen 2000): parts "
        "with one time course in all channels. Their power over time is fitted beside that of the "
        "channels, each with the probability that it arises in each region."
        if count
        else ""
    )
    return (
        "First, a Markov chain sampled which regions seize, from when to when and how strongly. "
        "The powers of the regions add up in every channel; the gain of each channel and region "
        "has an unknown error, and the likelihood is "
        f"tempered.{components} A region starts by itself, with "
        "P(EZ), or the network recruits it when its input from seizing regions, weighted by the "
        f"connectome (normalisation: {attributes['normalisation']}) and summed over time, reaches "
        f"a threshold.{sources} Then the two-dimensional Epileptor of every region (Jirsa 2014, "
        "Proix 2014), x' = 1 − x³ − 2x² − z + I₁, z' = (4(x − x₀) − z − K Σ C(xⱼ − xᵢ))/τ₀, was "
        "given, for every draw, the x₀ and initial state that reproduce these onsets. Where the "
        "connectome gives a recruited region too little input, its x₀ in the simulation is larger "
        "than its own; a resection takes the difference away with the EZ. P(PZ) is the "
        "probability that a region seizes and the network recruited it."
    )


def _is_hypothesis(results: PatientResults) -> bool:
    """Return whether a hypothesis was simulated and nothing was fitted."""
    found = results.main.diagnostics
    return found is not None and found.verdict == NOT_FITTED


def _hypothesis(results: PatientResults) -> str:
    """Return the text on the draws of a hypothesis, with their distributions."""
    if not _is_hypothesis(results) or results.main.zones is None:
        return ""
    used = results.main.zones.table.sidecar["Settings"]
    return (
        "Nothing was fitted. As in the first virtual epileptic patients (Jirsa 2017), the "
        "clinicians' hypothesis states the epileptogenic zone, and the network of Epileptors "
        "(Jirsa 2014, Proix 2014) is simulated from it. "
        f"{used['draws']} networks were drawn. A region belongs to the zone of a draw with its "
        "probability: 1 for a region that the hypothesis names; for contacts, the probability that "
        "the region holds one of them. Distance of x₀ from the threshold (mean ± SD): "
        f"{show(used['ez_above'])} ± {show(used['ez_sd'])} above it in the zone, "
        f"{show(used['pz_below'])} ± {show(used['pz_sd'])} below it in the propagation zone, "
        f"{show(used['others_below'])} ± {show(used['others_sd'])} below it elsewhere. Coupling K "
        f"and time scale τ₀ are LogNormal (medians {show(used['K_median'])} and "
        f"{show(used['tau0_median'])}, SD of the logarithm {show(used['K_sd_log'])} and "
        f"{show(used['tau0_sd_log'])}). {used['connectomes']} connectomes were drawn, each weight "
        f"times a LogNormal factor (SD of the logarithm {show(used['weight_sd_log'])}). The "
        f"seizure without surgery was simulated with the six-dimensional model in "
        f"{used['full_model_draws']} of the draws."
    )


def _surgery(results: PatientResults) -> str:
    if results.main.outcomes is None:
        return ""
    source = "hypothesis" if _is_hypothesis(results) else "posterior"
    return (
        f"Every plan was simulated on draws of the {source}. The regions of the plan are removed "
        "from the network, or changed according to the kind of plan; the seizure is simulated "
        "again, and the regions that still seize are counted. A region may exceed its threshold "
        "only because of input from the seizing network; this input is lost when the regions that "
        "start seizures are removed. The first plans were repeated with the six-dimensional model. "
        "Sham plans remove as many regions at random; the effect of a plan is its difference from "
        "them. Such models agree with surgical outcome only in part (Makhalova 2022)."
    )
