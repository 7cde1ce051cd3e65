"""What people can get wrong in the file, and what is said about it."""

import base64

import pytest

from controller.cli.run.inputs import read_inputs
from controller.faults import UnusableInputError

TEST = "apiVersion: calltest.dev/v1alpha1\nkind: CallTest\nmetadata: {name: pin}\nspec: {}\n"


def message(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(UnusableInputError) as caught:
        read_inputs([("pin.yaml", raw)])
    return str(caught.value)


def test_calltests_are_picked_from_among_other_documents() -> None:
    other = "kind: Deployment\nmetadata: {name: sut}\n"
    first, second = f"---\n{other}---\n{TEST}---\n", TEST.replace("pin", "ivr")
    inputs = read_inputs([("a.yaml", first.encode()), ("b.yaml", second.encode())])
    found = [(source.name, source.where) for source in inputs.call_tests]
    assert found == [("pin", "a.yaml, document 2"), ("ivr", "b.yaml")]


def test_a_list_as_kubectl_prints_it_is_read() -> None:
    listed = "kind: List\nitems:\n- " + TEST.replace("\n", "\n  ")
    inputs = read_inputs([("pin.yaml", listed.encode())])
    assert inputs.call_tests[0].where == "pin.yaml, items[0]"


def test_secrets_and_config_maps_are_decoded() -> None:
    wav = base64.b64encode(bytes(range(256))).decode()
    folded = "\n    ".join(wav[i : i + 40] for i in range(0, len(wav), 40))
    text = f"""{TEST}---
kind: Secret
metadata: {{name: sip-alice, namespace: voice}}
data: {{password: {base64.b64encode(b"p455").decode()}, username: eA==}}
stringData: {{username: alice}}
---
kind: ConfigMap
metadata: {{name: prompts}}
data: {{text: hello}}
binaryData:
  hello.wav: >-
    {folded}
"""
    inputs = read_inputs([("pin.yaml", text.encode())])
    assert inputs.secrets == {("voice", "sip-alice"): {"username": b"alice", "password": b"p455"}}
    assert inputs.config_maps == {("default", "prompts"): {"text": b"hello", "hello.wav": bytes(range(256))}}


NO_KIND = "no document of kind CallTest to run; found: "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pin.yaml: empty, expected a Kubernetes object (kind: CallTest)"),
        ("# a comment\n---\n", "pin.yaml: empty, expected a Kubernetes object"),
        (
            "kind: Secret\nmetadata: {name: x}\n---\nspec: 1",
            f"{NO_KIND}Secret (pin.yaml:1), no kind (pin.yaml:4)",
        ),
        (TEST.replace("CallTest", "Calltest"), f"{NO_KIND}Calltest (pin.yaml:2): kind is CallTest, letter for letter"),
        (
            TEST.replace("CallTest", "CallTestRun"),
            f"{NO_KIND}CallTestRun (pin.yaml:2): a CallTestRun is what a cluster makes of a test: give the CallTest",
        ),
        ("kind: [unclosed", "pin.yaml:2: not YAML: while parsing a flow sequence, did not find expected"),
        (TEST.replace("spec: {}", "spec:\n\ta: 1"), "pin.yaml:5: not YAML: "),
        (TEST.replace("spec: {}", "spec:\n\ta: 1"), "there is a tab: indent with spaces"),
        (b"\xff\xfe\x00\x00\x00", "pin.yaml: not YAML: "),
        (b"\x00\x01", "pin.yaml: not YAML: control characters are not allowed at byte 0: is it text?"),
        (b"a: \xff", "pin.yaml: not YAML: invalid leading UTF-8 octet at byte 3: is it text?"),
        ("- a\n- b\n", "pin.yaml: a list, expected a Kubernetes object (kind: CallTest)"),
        ("plain text", "pin.yaml: text, expected a Kubernetes object (kind: CallTest)"),
        ("kind: List\nitems: [1]", "pin.yaml: items[0] is no object"),
        ("!!python/object/apply:os.system [id]", "pin.yaml:1: not YAML: could not determine a constructor"),
        ("[" * 5000, "pin.yaml, line 1: nested more than 64 deep"),
        (TEST.replace("calltest.dev/v1alpha1", "v1"), "pin.yaml:1: apiVersion is 'v1', expected calltest.dev/v1alpha1"),
        (
            TEST.replace("apiVersion: ", "version: "),
            "pin.yaml:1: apiVersion is missing, expected calltest.dev/v1alpha1",
        ),
        (TEST.replace("pin", "Not_A_Name"), "pin.yaml:3: metadata.name is 'Not_A_Name': give it a name of lower-case"),
        (TEST.replace("{name: pin}", "[]"), "pin.yaml:3: metadata.name is missing"),
        (TEST.replace("{name: pin}", "{name: pin, namespace: 7}"), "metadata.namespace is 7"),
        (f"{TEST}---\n{TEST}", "pin.yaml:8: CallTest pin is at pin.yaml:3 already: rename one"),
        ("kind: Secret\nmetadata: {name: s}\ndata: {k: '*'}", "pin.yaml:8: data.k: not base64"),
        ("kind: Secret\nmetadata: {name: s}\ndata: {k: 'abc'}", "what is no base64 goes into stringData"),
        ("kind: Secret\nmetadata: {name: s}\ndata: [k]", "data: a map of key to text is expected"),
        ("kind: Secret\nmetadata: {name: s}\nstringData: {password: 1234}", "stringData.password: text is expected"),
        ("kind: Secret\nmetadata: {name: s}\nstringData: {../../x: a}", "'../../x' is no key"),
        ("kind: Secret\nmetadata: {name: s}\nstringData: {..: a}", "'..' is no key"),
        ("kind: Secret\nmetadata: {name: ..}\nstringData: {a: a}", "metadata.name is '..'"),
    ],
)
def test_unusable_documents_are_named_with_their_fault(text: str | bytes, said: str) -> None:
    if isinstance(text, str) and text.startswith("kind: Secret") and NO_KIND not in said:
        text = f"{TEST}---\n{text}"
    assert said in message(text)
