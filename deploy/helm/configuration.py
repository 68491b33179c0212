#!/usr/bin/env python3
"""Whether the product takes the configuration that the chart writes: `leadline config check` on the leadline.toml of each rendering.

    configuration.py PROGRAM FOLDER FILE...

FOLDER gets the configurations, and secrets that are made up, as the product reads those too. Asked by deploy/check.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml


def secrets(folder: Path, toml: str) -> str:
    """Makes the secrets that a configuration names, and lets it name them where they are."""
    certificate, key = folder / "made-up.crt", folder / "made-up.key"
    if not certificate.exists():
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        subprocess.run([*make, "-subj", "/CN=test", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    for name in re.findall(r'_file = "/run/secrets/([^"]+)"', toml):
        file = folder / "secrets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith((".crt", ".ca")):
            file.write_text(certificate.read_text())
        elif name.endswith((".key")):
            file.write_text(key.read_text())
        else:
            file.write_text("postgres://crm@db/crm" if name.endswith(".url") else "0123456789abcdef")
    return toml.replace("/run/secrets/", f"{folder}/secrets/")


def main(program: str, to: str, *files: str) -> int:
    wrong = 0
    for rendering in map(Path, files):
        folder = Path(to).absolute() / rendering.stem
        folder.mkdir(parents=True, exist_ok=True)
        objects = [one for one in yaml.safe_load_all(rendering.read_text()) if one]
        [data] = [one["data"] for one in objects if one["kind"] == "ConfigMap" and "leadline.toml" in one["data"]]
        for name, text in data.items():
            (folder / name).write_text(secrets(folder, text) if name == "leadline.toml" else text)
        # The user comes by the environment, as in a pod.
        environment = {**os.environ, "LEADLINE__KAFKA__SASL__USERNAME": "leadline"}
        command = [program, "--config", folder / "leadline.toml", "config", "check"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        said = (done.stderr if done.returncode else done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        print(f"{rendering.stem}: {said[-1]}")
        wrong += bool(done.returncode)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
