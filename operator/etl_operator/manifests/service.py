"""The REST service: its pods, its address, and the account that all pods of the pipeline have."""

from __future__ import annotations

from etl_operator.kinds import GROUP, KIND, RUN_ANNOTATION, Manifest, child_name
from etl_operator.manifests.common import Given, beside, environment, resources
from etl_operator.manifests.config import document_hash
from etl_operator.manifests.pods import engine

PORT = 8000
_LOST = "/etc/etl-lost-runs"


def service_url(namespace: str, pipeline: str) -> str:
    """Where the operator finds it."""
    return f"http://{child_name(pipeline, 'service')}.{namespace}.svc:{PORT}"


def account(given: Given) -> Manifest:
    """An account of the pipeline's own, without a right and without a token."""
    return given.child("ServiceAccount", "etl", "account", automountServiceAccountToken=False)


def service_deployment(given: Given) -> Manifest:
    wanted = given.spec.service
    variables, mounts, volumes = engine(given)
    variables += environment(ETL_HOST="0.0.0.0", ETL_PORT=str(PORT), ETL_KEEP_SCHEDULE="no")
    variables += environment(ETL_LOST_RUNS=f"{_LOST}/lost-runs.json")
    mounts.append({"name": "lost-runs", "mountPath": _LOST, "readOnly": True})
    volumes.append({"name": "lost-runs", "configMap": {"name": given.named("lost-runs"), "optional": True}})
    if given.is_divided:
        variables += environment(ETL_RUN_WITH=_asking_for_a_run(given))
    if token := wanted.token_secret:
        variables += environment(ETL_API_TOKEN_FILE=f"/run/secrets/{token.name}/{token.key}")
    container: Manifest = {
        "name": "service",
        "image": wanted.image or given.settings.service_image,
        "args": ["serve"],
        "env": variables,
        "ports": [{"name": "http", "containerPort": PORT}],
        "resources": resources(wanted.resources, cpu="50m", memory="128Mi", limit="512Mi"),
        "volumeMounts": mounts,
        "startupProbe": {**_asking("/health"), "periodSeconds": 1, "failureThreshold": 120},
        "livenessProbe": {**_asking("/health"), "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**_asking("/ready"), "periodSeconds": 5},
    }
    if not given.uses_volume:
        # Another pod serves meanwhile: this one goes once nobody is sent to it any more.
        container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    return given.child(
        "Deployment",
        "service",
        "service",
        spec={
            "replicas": wanted.replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 300,
            # One volume, one pod: a second one beside the first might wait for the volume for ever.
            "strategy": {"type": "Recreate" if given.uses_volume else "RollingUpdate"},
            "selector": {"matchLabels": given.selector("service")},
            "template": given.pod(
                "service",
                container,
                volumes=volumes,
                annotations={f"{GROUP}/document": document_hash(given)},
                affinity=beside(given.selector("run"), required=False) if given.uses_volume else None,
                terminationGracePeriodSeconds=30,
            ),
        },
    )


def service(given: Given) -> Manifest:
    return given.child(
        "Service",
        "service",
        "service",
        spec={
            "selector": given.selector("service"),
            "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    )


def _asking_for_a_run(given: Given) -> str:
    """The command, as one can paste it: a run of several pods is the cluster's to begin."""
    pipeline = f"--namespace {given.resource.namespace} {KIND.lower()}/{given.resource.name}"
    # Kubernetes makes $( of $$( when it fills in an environment.
    return f'kubectl annotate --overwrite {pipeline} {RUN_ANNOTATION}="$$(date +%s)"'


def _asking(path: str) -> Manifest:
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5}
