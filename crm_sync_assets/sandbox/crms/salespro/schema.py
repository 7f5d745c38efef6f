"""The tables of the data lake, and the columns of the two files."""

from collections.abc import Mapping

STAMP = "timestamp"
TEXT = "varchar"
TABLES: Mapping[str, Mapping[str, str]] = {
    "customer": {
        **dict.fromkeys(
            (
                "customer_id", "estimate_id", "company_id", "company_name", "customer_first_name",
                "customer_last_name", "crm_source", "crm_source_id",
            ),
            TEXT,
        ),
        "created_at": STAMP,
        "updated_at": STAMP,
    },
    "estimate": {
        **dict.fromkeys(
            (
                "estimate_id", "company_id", "company_name", "office_id", "office_name",
                "sales_rep_id", "sales_rep_first_name", "sales_rep_last_name", "customer_id",
                "customer_first_name", "customer_last_name", "street_address", "city", "state",
                "zip_code", "job_type", "bank_name", "loan_name",
            ),
            TEXT,
        ),
        "is_sale": "boolean",
        "has_credit_app": "boolean",
        "sale_amount": "decimal(12,2)",
        "finance_amount": "decimal(12,2)",
        "down_payment": "decimal(12,2)",
        "document_count": "bigint",
        "created_at": STAMP,
        "updated_at": STAMP,
    },
    "credit_applications": {
        **dict.fromkeys(
            (
                "leap_credit_app_id", "company_id", "company_name", "sales_rep_id", "customer_id",
                "credit_app_vendor", "credit_app_vendor_id", "credit_app_status", "credit_app_note",
            ),
            TEXT,
        ),
        "credit_app_amount": "decimal(12,2)",
        "created_at": STAMP,
        "updated_at": STAMP,
    },
    "payments": {
        **dict.fromkeys(
            (
                "payment_id", "company_id", "company_name", "customer_id", "payment_type",
                "payment_description",
            ),
            TEXT,
        ),
        "payment_amount": "decimal(12,2)",
        "payment_success": "boolean",
        "created_at": STAMP,
        "updated_at": STAMP,
    },
    "lead_results": {
        **dict.fromkeys(("estimate_id", "company_id", "lead_results"), TEXT),
        "created_at": STAMP,
        "updated_at": STAMP,
    },
    "user_activity": {
        "created_at": STAMP,
        **dict.fromkeys(
            (
                "user_id", "company_id", "company_name", "local_customer_uuid", "customer_id",
                "key_metric", "activity_note", "activity_identifier", "price_type",
            ),
            TEXT,
        ),
        "price": "decimal(12,2)",
        "original_row_num": "bigint",
    },
}  # fmt: skip
KEYS: Mapping[str, tuple[str, ...]] = {
    "customer": ("customer_id",),
    "estimate": ("estimate_id",),
    "credit_applications": ("leap_credit_app_id",),
    "payments": ("payment_id",),
    "lead_results": ("estimate_id",),
    "user_activity": ("created_at", "user_id", "activity_note"),
}
FILES: Mapping[str, tuple[str, ...]] = {
    "offices": (
        "objectId", "name", "companyId", "company", "canSearchAllEstimates", "last_edit_user",
        "createdAt", "updatedAt", "last_edit_date",
    ),
    "users": (
        "objectId", "username", "nameFirst", "nameLast", "email", "phoneNumber", "isActive",
        "isManager", "isAvailableToCall", "canActivateUsers", "canChangeSettings",
        "canSubmitCreditApps", "disableChangeCompany", "company", "selectedOffice",
        "allowedOffices", "identifier", "licenseNumber", "createdAt", "updatedAt", "lastLoginDate",
        "deactivatedDate",
    ),
}  # fmt: skip


def changed_by(table: str) -> str:
    """The column that says when a row was made or changed."""
    return "created_at" if table == "user_activity" else "updated_at"
