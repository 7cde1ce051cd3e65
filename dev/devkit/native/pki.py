"""Keys and certificates of the cluster, made once per cluster with openssl."""

import base64
import json
import shutil
from pathlib import Path

from devkit import steps
from devkit.native import layout

VALID_DAYS = 365


def ensure() -> None:
    """Makes the certificates if there are none: in a folder that gets its name when it is complete."""
    if layout.PKI.is_dir():
        return
    part = layout.PKI.with_name("pki.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    log = layout.LOGS / "pki.log"
    _key(part / "ca.key", log)
    # Python 3.13 verifies strictly (RFC 5280): a CA says that it signs, a certificate says who signed it.
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    subject = ["-subj", "/CN=calltest-ca", "-days", str(VALID_DAYS), *usage]
    steps.run(["openssl", "req", "-x509", "-new", "-key", "ca.key", "-out", "ca.crt", *subject], log=log, cwd=part)
    steps.run(["openssl", "genrsa", "-out", "sa.key", "2048"], log=log, cwd=part)
    steps.run(["openssl", "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"], log=log, cwd=part)
    for name, (subject_name, alternatives) in _wanted().items():
        _certificate(part, name, subject_name, alternatives, log)
    part.rename(layout.PKI)


def _wanted() -> dict[str, tuple[str, str]]:
    """Certificate → (subject, alternative names)."""
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names.append(f"kubernetes.default.svc.{layout.CLUSTER_DOMAIN}")
    addresses = ["127.0.0.1", layout.CONTROL_PLANE.address, layout.API_SERVICE_ADDRESS]
    server = ",".join([*(f"IP:{each}" for each in addresses), *(f"DNS:{each}" for each in names)])
    wanted = {
        "apiserver": ("/CN=kube-apiserver", server),
        "kubelet-client": ("/O=system:masters/CN=apiserver-kubelet", ""),
        "admin": ("/O=system:masters/CN=admin", ""),
        "controller-manager": ("/CN=system:kube-controller-manager", ""),
        "scheduler": ("/CN=system:kube-scheduler", ""),
        "proxy": ("/CN=system:kube-proxy", ""),
    }
    for node in layout.NODES:
        subject = f"/O=system:nodes/CN=system:node:{node.name}"
        wanted[node.name] = (subject, f"IP:{node.address},DNS:{node.name}")
    return wanted


def _key(path: Path, log: Path) -> None:
    steps.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", path], log=log)


def _certificate(folder: Path, name: str, subject: str, alternatives: str, log: Path) -> None:
    _key(folder / f"{name}.key", log)
    extensions = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    extensions += "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n"
    extensions += f"subjectAltName={alternatives}\n" if alternatives else ""
    (folder / f"{name}.ext").write_text(extensions)
    request = ["-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr"]
    steps.run(["openssl", "req", *request], log=log, cwd=folder)
    signed = ["-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(VALID_DAYS)]
    written = ["-extfile", f"{name}.ext", "-out", f"{name}.crt"]
    steps.run(["openssl", "x509", "-req", *signed, *written], log=log, cwd=folder)


def kubeconfig(user: str) -> str:
    """A kubeconfig (JSON is YAML) for one of the certificates; it holds its keys, so it can be copied."""
    cluster = {"server": layout.API_URL, "certificate-authority-data": _data("ca.crt")}
    keys = {"client-certificate-data": _data(f"{user}.crt"), "client-key-data": _data(f"{user}.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "calltest", "cluster": cluster}],
        "users": [{"name": user, "user": keys}],
        "contexts": [{"name": "calltest", "context": {"cluster": "calltest", "user": user}}],
        "current-context": "calltest",
    }
    return json.dumps(config, indent=1) + "\n"


def _data(name: str) -> str:
    return base64.b64encode((layout.PKI / name).read_bytes()).decode()
