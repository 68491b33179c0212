#!/usr/bin/env python3
"""Which workloads would be restarted between two renderings: those whose pod template differs. Prints their names, sorted.

Labels of the chart's version are part of the template, so both renderings must be of one version. Asked by deploy/check.
"""

import sys

import yaml


def templates(file: str):
    with open(file) as text:
        documents = [document for document in yaml.safe_load_all(text) if document]
    kinds = ("Deployment", "StatefulSet")
    return {document["metadata"]["name"]: document["spec"]["template"] for document in documents if document["kind"] in kinds}


before, after = map(templates, sys.argv[1:3])
print(" ".join(sorted(name for name in before if before[name] != after.get(name))))
