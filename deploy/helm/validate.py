#!/usr/bin/env python3
"""Validates rendered objects strictly: a field that Kubernetes or a vendor's kind does not know is an error, not something that is
dropped in silence.

    validate.py KUBERNETES_VERSION FOLDER_OF_CRDS FILE...

Kinds of Kubernetes are held against the schemas of the package kubernetes-validate, all others against the CRDs in the folder. A kind
without a schema is an error too. Which files and versions there are is said by deploy/check.
"""

import re
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml


class Loader(yaml.CSafeLoader):
    """Reads YAML as Kubernetes does: `=` is a text and no sign of its own."""


Loader.add_constructor("tag:yaml.org,2002:value", Loader.construct_yaml_str)


def closed(schema):
    """The schema with every object closed that says what it holds. Kubernetes prunes unknown fields; here they are errors."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            result[key] = {name: closed(one) for name, one in value.items()}
        elif key in ("items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"):
            # A branch of a choice does not repeat the properties beside it, so only objects with a type of their own are closed.
            result[key] = closed(value)
        else:
            result[key] = value
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and "properties" in schema and not keeps:
        result["additionalProperties"] = False
    if schema.get("nullable") and "type" in result:
        result["type"] = [result["type"], "null"]
    return result


def custom_schemas(folder: Path, kinds: set[str]):
    """(apiVersion, kind) → validator, of the CRDs in the folder. Those of other kinds are not even parsed: they are large."""
    found = {}
    for file in sorted(folder.glob("*.yaml")):
        text = file.read_text()
        if not kinds & set(re.findall(r"^    kind: (\w+)$", text, re.MULTILINE)):
            continue
        for document in yaml.load_all(text, Loader=Loader):
            if not isinstance(document, dict) or document.get("kind") != "CustomResourceDefinition":
                continue
            spec = document["spec"]
            for version in spec["versions"]:
                if not version["served"]:
                    continue
                schema = version["schema"]["openAPIV3Schema"]
                # The frame of every object, of which a CRD says no more than that it is one.
                schema["properties"]["metadata"] = METADATA
                key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                found[key] = jsonschema.Draft7Validator(closed(schema))
    return found


TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
METADATA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"},
        "namespace": {"type": "string", "maxLength": 63},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
        "annotations": TEXTS,
    },
    "required": ["name"],
}


def main(version: str, crds: str, *files: str) -> int:
    rendered = {file: [one for one in yaml.load_all(Path(file).read_text(), Loader=Loader) if one] for file in files}
    custom = custom_schemas(Path(crds), {one.get("kind") for documents in rendered.values() for one in documents})
    wrong = objects = 0
    for file, documents in rendered.items():
        for document in documents:
            objects += 1
            api, kind, name = document.get("apiVersion"), document.get("kind"), document.get("metadata", {}).get("name")
            errors = check(document, api, kind, version, custom)
            for error in errors:
                print(f"{Path(file).name}: {kind}/{name}: {error}")
            wrong += bool(errors)
    print(f"{objects} objects, {wrong} of them wrong; Kubernetes {version}, {len(custom)} custom kinds")
    return 1 if wrong else 0


def check(document, api, kind, version, custom):
    if (api, kind) in custom:
        return [f"{error.json_path}: {error.message[:300]}" for error in custom[api, kind].iter_errors(document)]
    # A group with a dot is a vendor's, unless it is one of Kubernetes' own.
    if "." in api.split("/")[0] and not api.split("/")[0].endswith(".k8s.io"):
        return [f"no schema for {api}"]
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message[:300]}"]
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.utils.VersionNotSupportedError, FileNotFoundError) as error:
        return [f"no schema for {api} in {version}: {error}"]
    return []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
