"""The Kubernetes API of calltest: the types of CallTest and CallTestRun, how they are read, and their CRDs.

The types are the single source: strict decoding, defaults, bounds, descriptions, CEL rules and the CRDs in `deploy/crd`
all come from `controller.api.test` and `controller.api.run`. Values only: no I/O and no clock.
"""

from typing import Final

GROUP: Final = "calltest.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
