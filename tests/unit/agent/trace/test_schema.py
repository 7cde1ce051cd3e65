"""The committed JSON Schema is that of the types."""

import msgspec
import pytest

from agent.trace import schema
from agent.trace.model import Stream, Trace


def test_the_committed_schema_is_that_of_the_types():
    assert schema.PATH.read_text() == schema.render(), "run `make crd`"


def test_every_field_is_described_once():
    stream = schema.schema()["$defs"]["Stream"]["properties"]
    assert list(stream) == [field.encode_name for field in msgspec.structs.fields(Stream)]
    assert stream["lost"]["description"].startswith("expected minus distinct")
    assert {"type": "null"} in stream["callId"]["anyOf"]


def test_it_names_the_version_that_documents_carry():
    known = schema.schema()
    assert known["$id"].endswith(Trace(files=[], streams=[], digits=[], warnings=[]).schema)


def test_it_is_printed_or_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(schema, "PATH", tmp_path / "trace.schema.json")
    assert (schema.main([]), capsys.readouterr().out) == (0, schema.render())
    assert (schema.main(["--write"]), schema.PATH.read_text()) == (0, schema.render())


@pytest.mark.parametrize("arguments", [["--help"], ["--write", "x"]])
def test_anything_else_is_refused(arguments, capsys):
    assert schema.main(arguments) == 2
    assert "usage:" in capsys.readouterr().err
