import pytest

from appliance.config.products import SERVICES
from license.authority.book.products import METERS, check_meters, check_product
from license.authority.book.resource import FREE_UNITS
from license.errors import Malformed

NER = "CognitiveServices.Ner.Container.TextRecords"


def test_the_vendor_knows_what_the_appliance_counts() -> None:
    assert {service.product: (service.meter,) for service in SERVICES.values()} == METERS
    for product, meters in FREE_UNITS.items():
        check_meters(product, meters)


@pytest.mark.parametrize(
    ("typed", "says"),
    [("speach", "did you mean speech?"), ("NER", "did you mean ner?"), ("x", "choose from: ner, speech")],
)
def test_an_unknown_product_is_refused_with_the_one_that_was_meant(typed: str, says: str) -> None:
    with pytest.raises(Malformed, match=f"'{typed}' is not a product") as refused:
        check_product(typed)
    assert refused.value.hint == says


@pytest.mark.parametrize(
    "typed", ["CognitiveService.Ner.Container.TextRecords", NER.lower(), "Ner.Container.TextRecords"]
)
def test_a_misspelt_meter_is_refused_with_the_one_that_was_meant(typed: str) -> None:
    with pytest.raises(Malformed, match=f"'{typed}' is not a meter of product ner") as refused:
        check_meters("ner", [NER, typed])
    assert refused.value.hint == f"did you mean {NER}?"


def test_a_meter_of_another_product_is_refused() -> None:
    with pytest.raises(Malformed):
        check_meters("speech", [NER])
