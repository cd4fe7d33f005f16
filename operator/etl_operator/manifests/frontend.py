"""The web page: Nginx, which passes /api on to the service."""

from __future__ import annotations

from etl_operator.kinds import Manifest
from etl_operator.manifests.common import Given, environment, resources
from etl_operator.manifests.service import PORT as SERVICE_PORT

PORT = 8080
#: The user of Nginx's image.
_USER = 101


def frontend_deployment(given: Given) -> Manifest:
    wanted = given.spec.frontend
    asking = {"httpGet": {"path": "/healthz", "port": "http"}, "timeoutSeconds": 3}
    container: Manifest = {
        "name": "frontend",
        "image": wanted.image or given.settings.frontend_image,
        "env": environment(ETL_SERVICE_URL=f"http://{given.named('service')}:{SERVICE_PORT}"),
        "ports": [{"name": "http", "containerPort": PORT}],
        "resources": resources(wanted.resources, cpu="10m", memory="32Mi", limit="64Mi"),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "conf", "mountPath": "/etc/nginx/conf.d"},
        ],
        "livenessProbe": {**asking, "periodSeconds": 10},
        "readinessProbe": {**asking, "periodSeconds": 5},
    }
    return given.child(
        "Deployment",
        "frontend",
        "frontend",
        spec={
            "replicas": wanted.replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": given.selector("frontend")},
            "template": given.pod(
                "frontend",
                container,
                user=_USER,
                volumes=[{"name": "tmp", "emptyDir": {}}, {"name": "conf", "emptyDir": {}}],
            ),
        },
    )


def frontend_service(given: Given) -> Manifest:
    return given.child(
        "Service",
        "frontend",
        "frontend",
        spec={
            "selector": given.selector("frontend"),
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    )
