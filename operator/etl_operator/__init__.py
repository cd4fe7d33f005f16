"""Keeps EtlPipeline resources running on a Kubernetes cluster."""
