"""What is known of the cluster, whatever the order in which it is told."""

from __future__ import annotations

import pytest

from etl_operator.cache import Cache, key_of
from etl_operator.kinds import Key, Ref, ref_of

POSTS = Key("team", "posts")
SERVICE = Ref("Service", "posts-service")


def service(version, namespace="team"):
    labels = {"etlpipeline.dev/pipeline": "posts"}
    metadata = {"name": "posts-service", "namespace": namespace, "labels": labels, "resourceVersion": str(version)}
    return {"kind": "Service", "metadata": metadata}


@pytest.fixture
def cache():
    cache = Cache()
    cache.put(service(5))
    return cache


def known(cache, key=POSTS):
    return set(cache.observed(key).children)


def test_an_older_state_does_not_replace_a_newer_one(cache):
    assert not cache.put(service(4))
    assert not cache.put(service(5))
    assert cache.put(service(6))


def test_what_was_deleted_is_not_brought_back_by_an_answer_that_was_slow(cache):
    cache.remove(service(7))

    assert not cache.put(service(6))
    assert known(cache) == set()
    assert cache.put(service(8)), "it was made anew"


def test_a_deletion_that_is_older_than_what_is_there_is_of_another_one(cache):
    cache.put(service(9))
    cache.remove(service(7))

    assert known(cache) == {SERVICE}


def test_a_list_lets_go_of_what_it_has_not_unless_that_is_newer(cache):
    cache.put(new := service(12) | {"metadata": service(12)["metadata"] | {"name": "posts-frontend"}})

    assert cache.keep_only("Service", None, [], version=10) == [POSTS]

    assert known(cache) == {ref_of(new)}


def test_a_list_of_one_namespace_says_nothing_of_another(cache):
    cache.put(other := service(6, namespace="other"))

    cache.keep_only("Service", "other", [], version=10)

    assert known(cache) == {SERVICE}
    assert known(cache, key_of(other)) == set()


def test_only_a_service_with_a_pod_is_asked(cache):
    deployment = {**service(10), "kind": "Deployment", "status": {"availableReplicas": 1}}
    cache.put(deployment)
    assert cache.serving() == [POSTS]

    cache.put({**service(11), "kind": "Deployment"})

    assert cache.serving() == []
