"""The part of Authorize.net's published schema that its JSON is held against: names, their order, and greatest lengths."""

from typing import Any

_FIRST = "merchantAuthentication clientId refId"
ORDER = {
    "authenticateTestRequest": _FIRST,
    "getMerchantDetailsRequest": _FIRST,
    "createTransactionRequest": f"{_FIRST} transactionRequest",
    "getHostedPaymentPageRequest": f"{_FIRST} transactionRequest hostedPaymentSettings",
    "updateHeldTransactionRequest": f"{_FIRST} heldTransactionRequest",
    "getTransactionDetailsRequest": f"{_FIRST} transId",
    "getUnsettledTransactionListRequest": f"{_FIRST} status sorting paging",
    "getSettledBatchListRequest": f"{_FIRST} includeStatistics firstSettlementDate lastSettlementDate",
    "getTransactionListRequest": f"{_FIRST} batchId sorting paging",
    "createCustomerProfileRequest": f"{_FIRST} profile validationMode",
    "createCustomerPaymentProfileRequest": f"{_FIRST} customerProfileId paymentProfile validationMode",
    "getCustomerProfileRequest": f"{_FIRST} customerProfileId merchantCustomerId email unmaskExpirationDate includeIssuerInfo",
    "deleteCustomerPaymentProfileRequest": f"{_FIRST} customerProfileId customerPaymentProfileId",
    "merchantAuthentication": "name transactionKey",
    "heldTransactionRequest": "action refTransId",
    "paging": "limit offset",
    "sorting": "orderBy orderDescending",
    "transactionRequest": "transactionType amount currencyCode payment profile solution callId terminalNumber authCode refTransId "
    "splitTenderId order lineItems tax duty shipping taxExempt poNumber customer billTo shipTo customerIP cardholderAuthentication "
    "retail employeeId transactionSettings userFields surcharge merchantDescriptor subMerchant tip processingOptions "
    "subsequentAuthInformation otherTax shipFrom authorizationIndicatorType",
    "createCustomerProfileRequest.profile": "merchantCustomerId description email paymentProfiles shipToList profileType",
    "createCustomerPaymentProfileRequest.paymentProfile": "customerType billTo payment driversLicense taxId defaultPaymentProfile",
    "transactionRequest.profile": "createProfile customerProfileId paymentProfile shippingProfileId",
    "profile.paymentProfile": "paymentProfileId cardCode",
    "payment": "creditCard bankAccount trackData encryptedTrackData payPal opaqueData emv",
    "creditCard": "cardNumber expirationDate cardCode isPaymentToken cryptogram",
    "opaqueData": "dataDescriptor dataValue dataKey expirationTimeStamp",
    "hostedPaymentSettings": "setting",
    "order": "invoiceNumber description",
    "customer": "type id email",
    "billTo": "firstName lastName company address city state zip country phoneNumber faxNumber email",
    "transactionSettings": "setting",
    "setting": "settingName settingValue",
    "userFields": "userField",
    "userField": "name value",
    "processingOptions": "isFirstRecurringPayment isFirstSubsequentAuth isSubsequentAuth isStoredCredentials",
    "subsequentAuthInformation": "originalNetworkTransId originalAuthAmount reason",
}
NEEDED = {
    "merchantAuthentication": ("name", "transactionKey"),
    "createTransactionRequest": ("transactionRequest",),
    "transactionRequest": ("transactionType",),
    "createCustomerProfileRequest": ("profile",),
    "createCustomerPaymentProfileRequest": ("customerProfileId", "paymentProfile"),
    "deleteCustomerPaymentProfileRequest": ("customerProfileId", "customerPaymentProfileId"),
    "profile.paymentProfile": ("paymentProfileId",),
    "heldTransactionRequest": ("action", "refTransId"),
    "getHostedPaymentPageRequest": ("transactionRequest",),
    "creditCard": ("cardNumber", "expirationDate"),
    "opaqueData": ("dataDescriptor", "dataValue"),
    "setting": ("settingName",),
    "paging": ("limit", "offset"),
}
LENGTHS = {
    "refId": 20,
    "invoiceNumber": 20,
    "merchantCustomerId": 20,
    "description": 255,
    "cardNumber": 16,
    "cardCode": 4,
    "zip": 20,
    "transactionKey": 16,
}
_SPACE = "AnetApi/xml/v1/schema/AnetApiSchema.xsd"


class Unfit(ValueError):
    """The text of the E00003 that the request is refused with."""


def must_fit_schema(method: str, body: dict) -> None:
    """Raise Unfit where a name is unknown, out of order, missing or too long."""
    if not method.endswith("Request") or method not in ORDER:
        raise Unfit(f"Invalid API method name: {method}.")
    if "merchantAuthentication" not in body:
        raise Unfit(f"The element '{method}' in namespace '{_SPACE}' has incomplete content.")
    _fit(method, body)


def _fit(name: str, value: Any, inside: str = "") -> None:
    if isinstance(value, list):
        for item in value:
            _fit(name, item, inside)
    elif isinstance(value, dict):
        _fit_children(name, value, f"{inside}.{name}")
    elif name in LENGTHS and len(str(value)) > LENGTHS[name]:
        raise Unfit(f"The '{_SPACE}:{name}' element is invalid - The actual length is greater than the MaxLength value.")


def _fit_children(name: str, children: dict, placed: str) -> None:
    """Some names mean another type in another place: those are listed by `place.name`."""
    kind = placed if placed in ORDER else name
    allowed, reached = ORDER.get(kind, "").split(), 0
    for child, value in children.items():
        if child not in allowed[reached:]:
            raise Unfit(
                f"The element '{name}' in namespace '{_SPACE}' has invalid child element '{child}' in namespace '{_SPACE}'."
            )
        reached = allowed.index(child) + 1
        _fit(child, value, name)
    if any(needed not in children for needed in NEEDED.get(kind, ())):
        raise Unfit(f"The element '{name}' in namespace '{_SPACE}' has incomplete content.")
