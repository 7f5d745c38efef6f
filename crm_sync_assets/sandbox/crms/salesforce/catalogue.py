"""The objects of the org, and the fields that each of them has."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from crm_sync_assets.sandbox.crms.salesforce.fields import Field, spelled
from crm_sync_assets.sandbox.crms.salesforce.ids import Ids

AUDIT = """
    datetime =CreatedDate =LastModifiedDate =SystemModstamp
    reference =CreatedById>User =LastModifiedById>User
"""
DELETED = "boolean =IsDeleted"
ANYBODY = "Contact|Lead"
ANYTHING = "Account|Opportunity|Campaign|Case|Asset|Invoice__c"
OWNER = "reference OwnerId>User"

CHOICES: Mapping[str, tuple[str, ...]] = {
    "Type": ("Customer", "Prospect", "Partner", "Other"),
    "Industry": ("Construction", "Real Estate", "Insurance", "Retail"),
    "AccountSource": ("Web", "Partner Referral", "Purchased List"),
    "LeadSource": ("Web", "Phone Inquiry", "Partner Referral", "Trade Show", "Word of mouth"),
    "Salutation": ("Mr.", "Ms.", "Dr."),
    "Status": ("New", "Open", "Working", "Completed", "Closed"),
    "Rating": ("Hot", "Warm", "Cold"),
    "StageName": ("Prospecting", "Qualification", "Proposal", "Closed Won", "Closed Lost"),
    "ForecastCategoryName": ("Pipeline", "Best Case", "Commit", "Closed", "Omitted"),
    "Reason": ("Installation", "Leak", "Billing"),
    "Origin": ("Phone", "Email", "Web"),
    "Priority": ("High", "Normal", "Low"),
    "Subject": ("Call", "Email", "Send Quote", "Site visit"),
    "CallType": ("Inbound", "Outbound"),
    "TaskSubtype": ("Task", "Call", "Email"),
    "ShowAs": ("Busy", "Free", "OutOfOffice"),
    "UserType": ("Standard", "PowerPartner"),
    "TimeZoneSidKey": ("America/New_York", "America/Chicago", "Europe/Berlin"),
    "LocaleSidKey": ("en_US", "de_DE"),
    "Tier__c": ("Gold", "Silver", "Bronze"),
    "Trades__c": ("Roofing", "Siding", "Windows", "Gutters"),
    "Regions__c": ("North", "South", "East", "West"),
    "CurrencyIsoCode": ("USD", "EUR", "CAD"),
}


@dataclass(frozen=True)
class Spec:
    """One object: how many records per hundred contacts, or `few` of them; what may happen to it.

    `bulk` says whether jobs may ask for it, `replicates` whether its deletions are logged,
    `stamp` is the field that moves with every change.
    """

    name: str
    prefix: str
    label: str
    plural: str
    text: str
    share: int = 0
    few: int = 0
    deletes: bool = True
    merges: bool = False
    bulk: bool = True
    replicates: bool = True
    stamp: str = "SystemModstamp"

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Its fields in the beginning, by name."""
        audit = AUDIT if self.stamp == "SystemModstamp" else ""
        lines = ["id =Id", *([DELETED] if self.deletes else []), audit, self.text]
        if self.merges:
            lines.append(f"reference =MasterRecordId>{self.name}")
        text = "\n".join(line for part in lines for line in part.splitlines() if line.strip())
        return {field.name: field for field in spelled(text, CHOICES)}

    @cached_property
    def ids(self) -> Ids:
        """How its ids are written."""
        return Ids(self.prefix)


SPECS: Mapping[str, Spec] = {
    spec.name: spec
    for spec in (
        Spec("Account", "001", "Account", "Accounts", merges=True, share=34, text=f"""
            {OWNER} ParentId>Account
            string Name AccountNumber
            picklist Type Industry AccountSource Tier__c
            phone Phone
            url Website
            textarea Description
            address BillingAddress ShippingAddress
            currency AnnualRevenue
            int NumberOfEmployees
            date =LastActivityDate
            multipicklist Trades__c
            percent =Health__c
        """),
        Spec("Contact", "003", "Contact", "Contacts", merges=True, share=100, text=f"""
            reference AccountId>Account ReportsToId>Contact
            {OWNER}
            string FirstName LastName =Name Title
            picklist Salutation LeadSource
            string Department
            email Email
            phone Phone MobilePhone HomePhone
            textarea Description
            address MailingAddress
            date Birthdate =LastActivityDate
            boolean HasOptedOutOfEmail DoNotCall
            datetime EmailBouncedDate
            picklist Tier__c
            textarea Notes__c
        """),
        Spec("Lead", "00Q", "Lead", "Leads", merges=True, share=50, text=f"""
            {OWNER} =ConvertedAccountId>Account =ConvertedContactId>Contact
            reference =ConvertedOpportunityId>Opportunity
            string FirstName LastName =Name Company Title
            email Email
            phone Phone MobilePhone
            url Website
            address Address
            picklist Status Rating LeadSource Industry
            textarea Description
            currency AnnualRevenue
            int NumberOfEmployees
            boolean =IsConverted
            date =ConvertedDate
        """),
        Spec("Opportunity", "006", "Opportunity", "Opportunities", share=40, text=f"""
            reference AccountId>Account ContactId>Contact CampaignId>Campaign
            {OWNER}
            string Name NextStep
            textarea Description
            picklist StageName Type LeadSource ForecastCategoryName
            currency Amount ExpectedRevenue
            percent Probability
            date CloseDate
            boolean =IsClosed =IsWon
            int =FiscalYear =FiscalQuarter
        """),
        Spec("Case", "500", "Case", "Cases", merges=True, share=30, text=f"""
            reference ContactId>Contact AccountId>Account ParentId>Case
            {OWNER}
            string =CaseNumber SuppliedName
            string Subject
            email SuppliedEmail
            textarea Description
            picklist Type Status Reason Origin Priority
            boolean =IsClosed IsEscalated
            datetime =ClosedDate
        """),
        Spec("Task", "00T", "Task", "Tasks", share=60, text=f"""
            reference WhoId>{ANYBODY} WhatId>{ANYTHING} =AccountId>Account
            {OWNER}
            combobox Subject
            picklist Status Priority CallType TaskSubtype
            textarea Description
            date ActivityDate
            boolean =IsClosed =IsHighPriority =IsArchived
            int CallDurationInSeconds
            datetime =CompletedDateTime
        """),
        Spec("Event", "00U", "Event", "Events", share=30, text=f"""
            reference WhoId>{ANYBODY} WhatId>{ANYTHING} =AccountId>Account
            reference =RecurrenceActivityId>Event
            {OWNER}
            combobox Subject
            string Location
            textarea Description
            picklist ShowAs
            date ActivityDate
            datetime ActivityDateTime StartDateTime EndDateTime
            int DurationInMinutes
            boolean IsAllDayEvent IsPrivate =IsArchived =IsChild =IsGroupEvent =IsRecurrence
        """),
        Spec("User", "005", "User", "Users", few=12, deletes=False, text="""
            string Username FirstName LastName =Name Title Department
            email Email
            picklist UserType TimeZoneSidKey LocaleSidKey
            reference ProfileId>Profile UserRoleId>UserRole ManagerId>User
            boolean IsActive
            datetime =LastLoginDate
        """),
        Spec("Campaign", "701", "Campaign", "Campaigns", share=8, text=f"""
            reference ParentId>Campaign
            {OWNER}
            string Name
            picklist Type Status
            textarea Description
            date StartDate EndDate
            currency ExpectedRevenue BudgetedCost ActualCost
            currency =AmountAllOpportunities =AmountWonOpportunities
            double NumberSent
            percent ExpectedResponse
            int =NumberOfLeads =NumberOfContacts =NumberOfResponses =NumberOfOpportunities
            int =NumberOfWonOpportunities
            boolean IsActive
        """),
        Spec("Asset", "02i", "Asset", "Assets", share=12, text=f"""
            reference AccountId>Account ContactId>Contact
            {OWNER}
            string Name SerialNumber
            picklist Status
            date InstallDate
            currency Price
            double Quantity
        """),
        Spec("Invoice__c", "a0B", "Invoice", "Invoices", share=20, text=f"""
            {OWNER}
            reference Account__c>Account Contact__c>Contact
            string =Name
            currency Amount__c
            date Due_Date__c
            time Best_Time__c
            boolean Paid__c
            multipicklist Regions__c
            textarea Terms__c
            double =Balance__c
        """),
        Spec("CaseStatus", "0JK", "Case Status", "Case Status Values", few=4, deletes=False,
             bulk=False, replicates=False, text="""
            string MasterLabel ApiName
            int SortOrder
            boolean IsDefault =IsClosed
        """),
        Spec("LoginHistory", "0Ya", "Login History", "Login History", few=20, deletes=False,
             replicates=False, stamp="LoginTime", text="""
            datetime =LoginTime
            reference UserId>User
            string LoginType SourceIp Status
        """),
        Spec("Organization", "00D", "Organization", "Organizations", few=1, deletes=False,
             replicates=False, text="""
            string Name OrganizationType InstanceName DefaultLocaleSidKey TimeZoneSidKey
            boolean =IsSandbox
        """),
        # What the user who asks may do, all permission sets together; nobody else is told.
        Spec("UserPermissionAccess", "0PJ", "User Permission Access", "User Permission Access",
             few=1, deletes=False, bulk=False, replicates=False, stamp="LastCacheUpdate", text="""
            datetime =LastCacheUpdate
            boolean =PermissionsApiEnabled =PermissionsViewAllData =PermissionsModifyAllData
        """),
    )
}  # fmt: skip
