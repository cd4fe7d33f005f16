"""Ways to write an address so that it does not look like what it is, and names that lead where they should not."""

from __future__ import annotations

from collections.abc import Sequence

from etl_service.extract import Gate, Resolve, system_resolve
from etl_service.spec import allowed_sources

PUBLIC, OTHER_PUBLIC = "93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

#: What names lead to; whatever else is asked for, the system answers.
NAMES: dict[str, Sequence[str]] = {
    "source.example": ["127.0.0.1"],
    "public.example": [PUBLIC],
    "private.example": ["10.1.2.3"],
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "mixed-the-other-way.example": ["::1", OTHER_PUBLIC],
    "mapped.example": ["::ffff:127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "metadata": [PUBLIC],
    "nat64.example": ["64:ff9b::7f00:1"],
}

#: None of these may be connected to, where only public addresses and source.example may be read. All that mean this
#: machine would find somebody listening at the port.
EVASIONS = [
    "http://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.255.255.254:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0177.0.0.01:{port}/",
    "http://017700000001:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.000.000.001:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://LocalHost.:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[::1%lo]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::FFFF:7F00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1:0:0:80ff:fffe]:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://%6cocalhost:{port}/",
    "http://public.example@127.0.0.1:{port}/",
    "http://public.example:80@127.0.0.1:{port}/",
    "http://source.example%40127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@public.example/",
    "http://127.0.0.1:{port}?@public.example/",
    "HTTP://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "http://mixed.example:{port}/",
    "http://mixed-the-other-way.example:{port}/",
    "http://mapped.example:{port}/",
    "http://MAPPED.EXAMPLE.:{port}/",
    "http://nat64.example:{port}/",
    "http://private.example:{port}/",
    "http://10.0.0.1/",
    "http://10.0.0.1:22/",
    "http://172.16.0.1:6379/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://169.254.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://169.254.43518/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fd00:ec2::23]/v1/credentials",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://198.18.0.1/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://100.100.100.200/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://Metadata.Google.Internal./computeMetadata/v1/",
    "http://metadata/computeMetadata/v1/",
]


async def resolve(host: str, port: int) -> Sequence[str]:
    return NAMES.get(host.lower().removesuffix(".")) or await system_resolve(host, port)


def gate(text: str, resolve: Resolve = resolve) -> Gate:
    """The gate of a platform whose ETL_ALLOWED_SOURCES is ``text``."""
    allowed = allowed_sources(text)
    assert allowed is not None
    return Gate(allowed, resolve)
