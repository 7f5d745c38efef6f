"""MarketSharp's sets: their properties by kind, as its schema spells them, and their key."""

from collections.abc import Mapping

KINDS = {
    "guid": "Edm.Guid",
    "int": "Edm.Int32",
    "text": "Edm.String",
    "bool": "Edm.Boolean",
    "moment": "Edm.DateTime",
    "decimal": "Edm.Decimal",
}
"""What a kind is called on the wire."""

PROPERTIES: Mapping[str, Mapping[str, str]] = {
    "Activities": {
        "guid": "id contactId appointmentId assignToEmployeeId scheduledByEmployeeId inquiryId",
        "text": "name createdBy type notes lastUpdatedBy",
        "moment": "completedDate dueDate lastUpdate createdDate",
        "int": "reminderMinutes activityResultId activityReferenceId",
        "bool": "reminderDismissed isActive",
    },
    "ActivityReferences": {
        "int": "id",
        "text": "companyId name createdBy",
        "bool": "inquiryRequired appointmentRequired isActive",
        "moment": "createdDateUtc lastUpdateUtc",
        "guid": "lastUpdateBy",
    },
    "ActivityResults": {
        "int": "id",
        "text": "companyId name createdBy",
        "bool": (
            "emailSuccess emailFailure confirmed countAsApptConfirmed countAsApptCreated "
            "countAsContacted isActive"
        ),
        "guid": "lastUpdateBy",
        "moment": "lastUpdate createdDate",
    },
    "Addresses": {
        "guid": "id contactId",
        "text": (
            "line1 line2 coounty city country state zip zip4 dpbc2 carrierRoute cass "
            "barCode latitude longitude"
        ),
        "bool": "isActive",
    },
    "Appointments": {
        "guid": (
            "id inquiryId salesperson1id salesperson2Id setById resultId lastUpdateBy createdBy"
        ),
        "moment": "appointmentDate setDate issuedDate createdDate lastUpdate",
        "text": "note resultReason subject type",
        "bool": "isActive",
    },
    "AppointmentResults": {
        "guid": "id",
        "text": "name",
        "bool": "presentation sold isActive",
    },
    "Companies": {
        "text": (
            "id name owner addressLine1 addressLine2 addressCity addressState contactName "
            "contactTitle timeZone addressZip phone fax email website"
        ),
        "int": "number",
    },
    "Contacts": {
        "guid": "id contactPhoneId primaryAddressId",
        "text": (
            "companyId firstName lastName incomeCode ageCode structureAgeCode "
            "structureValueCode styleOfHome qbId middleInitial title reference businessName "
            "mailMergeName source qbEditSequence qbName website1 website2 website3 email1 "
            "email2 email3 yearHomeBuilt maritalStatus lengthOfResidence"
        ),
        "bool": (
            "email1canMail email2CanMail email3CanMail doNotMail hasDNCPhone hasDNEEmail "
            "isTagged qbSyncData isActive"
        ),
        "moment": "creationDate lastUpdate createdDate qbSyncDate",
    },
    "ContactPhones": {
        "guid": "contactId",
        "text": (
            "assistantPhone workFax cellPhone companyPhone homePhone2 homeFax pager "
            "workPhone2 companyFax homePhone workPhone otherPhone cellPhone2 otherPhone2"
        ),
    },
    "ContactTypes": {
        "guid": "id contactId",
        "text": "contactType",
        "bool": "isActive",
    },
    "CustomFields": {
        "guid": "id contactId",
        "text": "name value",
    },
    "Employees": {
        "guid": "id",
        "text": "name companyId",
        "bool": "isActive",
        "moment": "lastUpdate createdDate",
    },
    "Inquiries": {
        "guid": (
            "id contactId inquirySourcePrimaryId inquirySourceSecondaryId promoterId "
            "canvasserId telemarketerId setById lastUpdateBy"
        ),
        "text": (
            "description jobSiteAddressLine1 jobSiteAddressLine2 division createdBy note "
            "jobSiteDirections jobSiteCity jobSiteState jobSiteZip"
        ),
        "moment": "creationDate inquiryDate setDate createdDate lastUpdate",
        "bool": "isActive",
        "int": "inquiryStatusId",
    },
    "InquirySourcePrimaries": {
        "guid": "id",
        "text": "name companyId",
        "bool": "isActive",
    },
    "InquirySourceSecondaries": {
        "guid": "id inquirySourcePrimaryId",
        "text": "name companyId",
        "bool": "isActive",
    },
    "InquiryStatuses": {
        "int": "id",
        "text": "companyId name createdBy",
        "bool": "isActive",
        "guid": "lastUpdateBy",
        "moment": "lastUpdateUtc createdDateUtc",
    },
    "Jobs": {
        "guid": "id contactId inquiryId appointmentId",
        "text": (
            "site addressLine1 addressLin2 number type status city structureValueCode name "
            "description note state zip"
        ),
        "moment": "startDate saleDate completedDate lastUpdate createdDate",
        "bool": "isActive exportedToGuildQuality",
    },
    "ProductDetails": {
        "guid": "id productTypeId",
        "text": "name companyId",
        "bool": "isActive",
    },
    "ProductInterests": {
        "guid": "id inquiryId productTypeId productDetailId",
        "decimal": "priceQuoted",
        "bool": "isActive",
        "moment": "lastUpdate",
    },
    "ProductTypes": {
        "guid": "id",
        "text": "name companyId",
        "bool": "isActive",
    },
}
TYPED = ("Contacts", "Prospects", "Leads", "Customers")
"""All contacts, and those of the types 1, 2 and 3."""
SETS = (*PROPERTIES, *TYPED[1:])


def stored(name: str) -> str:
    """The set that has the records of this one."""
    return "Contacts" if name in TYPED else name


def kinds_of(name: str) -> dict[str, str]:
    """The kind of each property."""
    found = PROPERTIES[stored(name)].items()
    return {one: kind for kind, names in found for one in names.split()}


def key_of(name: str) -> str:
    """The property that is the key."""
    return "contactId" if name == "ContactPhones" else "id"


def modified_of(name: str) -> str | None:
    """The property that says when a record changed; None where none does."""
    known = kinds_of(name)
    return next((one for one in ("lastUpdate", "lastUpdateUtc") if one in known), None)


def created_of(name: str) -> str | None:
    """The property that says when a record was made."""
    known = kinds_of(name)
    return next((one for one in ("createdDate", "createdDateUtc") if one in known), None)


PLAIN = {
    "coounty": "county",
    "addressLin2": "addressLine2",
    "salesperson1id": "salesperson1Id",
    "email1canMail": "email1CanMail",
    "hasDNCPhone": "hasDncPhone",
    "hasDNEEmail": "hasDneEmail",
}
"""How properties would be spelled if nobody had made a mistake."""
