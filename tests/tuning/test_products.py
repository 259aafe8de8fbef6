"""Products of an adapted layer, beside torch's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from sharpen.tuning import lora
from sharpen.tuning.lora import times


@pytest.fixture(params=[True, False], ids=["AMD", "other"], autouse=True)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Products as they are taken on either kind of processor."""
    monkeypatch.setattr(lora, "_amd", lambda: request.param)
    lora._onednn.cache_clear()
    assert (lora._onednn() is not None) == (request.param and hasattr(torch.ops.mkldnn, "_linear_pointwise"))
    yield
    lora._onednn.cache_clear()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1, 1), (16, 7, 3), (300, 576, 16), (16, 300, 1536)])
def test_products_are_those_of_linear(dtype: torch.dtype, shape: tuple[int, int, int]) -> None:
    """With a bias, for three dimensions, and for views that are not contiguous, as gradients use them."""
    rows, size, out = shape
    made = torch.Generator().manual_seed(0)
    x, w, bias = (torch.randn(*s, generator=made, dtype=dtype) for s in ((2, rows, size), (out, size), (out,)))
    close = {"rtol": 1e-5, "atol": 1e-4} if dtype != torch.bfloat16 else {"rtol": 2e-2, "atol": 0.3}
    assert torch.allclose(times(x, w, bias), x @ w.t() + bias, **close)
    g = x.new_ones(rows, out)
    assert torch.allclose(times(g, w.t()), g @ w, **close)
    assert torch.allclose(times(g.t(), x[0].t()), g.t() @ x[0], **close)


def test_without_onednn_products_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise RuntimeError("not on this machine")

    x = torch.randn(3, 4)
    before = times(x, x)
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", refuses)
    lora._onednn.cache_clear()
    assert torch.allclose(times(x, x), before)
    assert lora._onednn() is None


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 3), (40, 24, 1), (60, 32, 48)])
@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_gradients_in_float32_are_those_of_plain_autograd(shape: tuple[int, int, int], kept: float) -> None:
    """Beside float64 without the layer's own products; the gradient that comes in is a slice of a larger one."""
    rows, size, out = shape
    made = torch.Generator().manual_seed(0)
    exact = [
        torch.randn(*s, generator=made, dtype=torch.float64, requires_grad=True)
        for s in ((2, rows, size), (4, size), (out, 4))
    ]
    w, bias = (torch.randn(*s, generator=made, dtype=torch.float64) for s in ((out, size), (out,)))
    x, a, b = exact
    (x @ w.t() + bias + 0.7 * ((x * kept) @ a.t() @ b.t())).pow(2).sum().backward()

    short = [t.detach().float().requires_grad_() for t in exact]
    x, a, b = short
    z = x * kept if kept != 1 else x
    y = lora._Product.apply(x, z, w.float(), bias.float(), a, b, 0.7)
    torch.cat((y, y.new_ones(*y.shape[:-1], 2)), -1).pow(2).sum().backward()
    for mine, wanted in zip(short, exact, strict=True):
        assert mine.grad is not None
        assert wanted.grad is not None
        assert torch.allclose(mine.grad.double(), wanted.grad, rtol=1e-4, atol=1e-4 * float(wanted.grad.abs().max()))
