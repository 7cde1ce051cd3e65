"""docs/features.md says of every field where it is used and tested."""

from tests.features import PAGE, by_example, by_test, failing_examples, failures, features, named, page, peers


def test_the_page_is_as_written() -> None:
    assert PAGE.read_text() == page(), "run `make crd`"


def test_every_field_has_a_test_that_fails_when_it_does_nothing() -> None:
    assert [path for path in features() if path not in by_test()] == []


def test_every_reason_that_fails_a_call_has_a_peer_that_misbehaves_so() -> None:
    assert [reason for reason in failures() if reason not in peers() and reason not in failing_examples()] == []


def test_marks_are_of_fields_that_there_are() -> None:
    assert set(by_test()) - set(features()) == set()


def test_what_both_sides_have_is_one_feature() -> None:
    assert named("calls[].expect.callee.audio") == "calls[].expect.<leg>.audio"
    assert named("callee.uri") == "<party>.uri"
    assert named("callee.route") == "callee.route"


def test_an_example_that_says_something_of_a_field_is_found() -> None:
    assert "[tls](../deploy/examples/tls/calltest.yaml)" in by_example()["target.tls.verify"]
