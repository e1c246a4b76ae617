"""Write the required packages as a software bill of materials in CycloneDX.

Source: CycloneDX Bill of Materials Specification 1.6 (ECMA-424).
"""

from collections.abc import Iterable

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from virtualbrain.pipeline.dependencies import NOT_STATED, Package


def bill_of_materials(packages: Iterable[Package], root: str = "virtualbrain") -> str:
    """Return a software bill of materials as JSON.

    Parameters
    ----------
    packages : iterable of Package
        The project and the packages that it needs, from `installed`.
    root : str
        Name of the project's own package.

    Returns
    -------
    str
        A document of CycloneDX 1.6: every package with version, licence, package URL and the
        packages that it needs itself.
    """
    packages = list(packages)
    components = {package.key: _component(package, root) for package in packages}
    bill = Bom()
    bill.metadata.component = components[root]
    bill.components = (one for key, one in components.items() if key != root)
    for package in packages:
        needed = [components[key] for key in package.needs if key in components]
        bill.register_dependency(components[package.key], needed)
    return str(JsonV1Dot6(bill).output_as_string(indent=2)) + "\n"


def _component(package: Package, root: str) -> Component:
    licences = LicenseFactory()
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.APPLICATION if package.key == root else ComponentType.LIBRARY,
        bom_ref=package.key,
        licenses=[licences.make_from_string(package.licence)]
        if package.licence != NOT_STATED
        else [],
        purl=PackageURL("pypi", None, package.key, package.version),
    )
