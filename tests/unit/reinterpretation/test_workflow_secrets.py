"""Credentials are references; none is in a file or log of a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hepflow.errors import InputError
from hepflow.reinterpretation.workflows import WorkflowError, load_workflow, run_workflow
from hepflow.reinterpretation.workflows.secrets import Redaction, followed, refusal
from tests.unit.reinterpretation import workflow_files as made

SECRET = "dummy-S3cret-of-the-test"  # noqa: S105 - of nothing


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter2"),
        ("db_passwd", "hunter2"),
        ("API-KEY", 5),
        ("user_pwd", "x"),
        ("options", {"token": "x"}),
        ("secrets", {"a": ["x"]}),
        ("note", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"),
        ("note", ["a", "ghp_" + "a" * 36]),
        ("url", "https://me:hunter2@host/x.root"),
        ("note", "-----BEGIN RSA PRIVATE KEY-----"),
        ("token", "file"),
    ],
)
def test_what_looks_like_a_credential_is_refused_without_being_shown(name, value, tmp_path):
    told = refusal(name, value)
    assert told is not None
    files = made.write(tmp_path, [], {name: value})
    with pytest.raises(WorkflowError) as caught:
        load_workflow(files[0], [files[1]])
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "env:NAME" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mass", 400.0),
        ("password", "env:NAME"),
        ("token", "file:~/.token"),
        ("token", None),
        ("input", "file:/data/x.root"),
        ("digest", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("passing", "all"),
        ("url", "root://host//store/x.root"),
    ],
)
def test_what_is_no_credential(name, value):
    assert refusal(name, value) is None


def test_files_with_credentials_are_their_owners_alone(tmp_path):
    file = tmp_path / "token"
    with pytest.raises(InputError, match="there is no such file with a credential"):
        followed(f"file:{file}")
    file.write_text(SECRET)
    file.chmod(0o640)
    with pytest.raises(InputError, match=r"its mode is 0640 \(owner \d+\).*chmod 600"):
        followed(f"file:{file}")
    file.chmod(0o600)
    assert followed(f"file:{file}") == str(file)


def test_tickets_that_others_may_read_are_told(tmp_path, monkeypatch):
    ticket = tmp_path / "krb5cc"
    ticket.write_text("x")
    ticket.chmod(0o644)
    files = made.write_chain(tmp_path)
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{ticket}")
    with pytest.raises(WorkflowError, match=r"KRB5CCNAME: .*krb5cc holds a credential"):
        load_workflow(files[0], [files[1]])
    ticket.chmod(0o600)
    load_workflow(files[0], [files[1]])


def test_redaction():
    redact = Redaction([f"{SECRET}\nother-line-of-it\nabc"])
    text = f"a {SECRET} b other-line-of-it abc token=xyz123 Bearer q.w.e https://u:p@h/x?sig=1 ok"
    assert redact(text) == "a *** b *** abc token=*** Bearer *** https://h/x?... ok"


def _files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_file_and_no_log_of_a_run_holds_the_secret(tmp_path):
    """One step says it, one fails with it, and the command line is given it."""
    file = tmp_path / "key"
    file.write_text(SECRET[::-1] + "\n")
    file.chmod(0o600)
    parameters = {
        "token": made.init("token"),
        "key": made.init("key_secret"),
        "nested": made.init("more"),
    }
    said = (
        'echo got {token} \'{token}\' "$(cat {key})" {nested[token]}; test {token} = "$HF_SECRET"'
    )
    stages = [
        made.stage("says", [], parameters, made.step(said, {"x": "1"})),
        made.stage("fails", ["says"], parameters, made.step("echo {token}; cat {key}; exit 1", {})),
    ]
    references = {"token": "env:HF_SECRET", "key_secret": f"file:{file}"}
    made.write(tmp_path, stages, {**references, "more": {"token": "env:HF_SECRET"}})
    words = ["workflow", "run", "workflow.yml", "inputs.yml", "--trust", "--workdir", "run"]
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    variables = {
        "HF_SECRET": SECRET,
        "PATH": "/usr/bin:/bin",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
    }

    def run(*more: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "hepflow.cli", *words, *more],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            check=False,
        )

    failed = run()
    assert failed.returncode == 1
    assert b"***" in failed.stderr
    refused = run("--set", f"password={SECRET}", "--set", f"note=token={SECRET}")
    assert refused.returncode == 2
    found = _files_of(tmp_path)
    assert found.pop(file).strip() == SECRET[::-1].encode()
    log = found[tmp_path / "run/logs/says.log"].decode()
    assert "got *** *** *** ***" in log
    everything = [*found.values(), failed.stdout, failed.stderr, refused.stdout, refused.stderr]
    for secret in (SECRET, SECRET[::-1]):
        assert not any(secret.encode() in one for one in everything)


def test_a_credential_is_not_published(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_SECRET", SECRET)
    what = made.step("true", {})
    what["publisher"] = {"publisher_type": "frompar-pub", "outputmap": {"l": {"x": "token"}}}
    files = made.write(
        tmp_path,
        [made.stage("one", [], {"token": made.init("token")}, what)],
        {"token": "env:HF_SECRET"},
    )
    plan = load_workflow(files[0], [files[1]])
    with pytest.raises(Exception, match=r"it publishes \$\{HF_SECRET\}, a credential"):
        run_workflow(plan, tmp_path / "run", trusted=True)
