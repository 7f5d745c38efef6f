"""What SalesPro's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

TABLES = (
    "customers",
    "credit_applications",
    "estimates",
    "lead_results",
    "lead_result_line_items",
    "payments",
    "user_activities",
)
"""Entities that are tables of Athena; the others are files."""

S3_LOCATION = Variable(
    "SALESPRO_S3_LOCATION",
    "where Athena may keep results, in athena-results/ below it",
    example="s3://bucket/",
    way="tables",
    needed_by=TABLES,
)
ACCESS_KEY_ID = optional(
    "SALESPRO_ACCESS_KEY_ID",
    "the access key of a user who may query Athena; without it AWS's own ways to find one count",
)
SECRET_ACCESS_KEY = optional("SALESPRO_SECRET_ACCESS_KEY", "its secret", secret=True)
SESSION_TOKEN = optional(
    "SALESPRO_SESSION_TOKEN", "its session's token, where it is a temporary one", secret=True
)
REGION = optional("SALESPRO_SERVER_REGION", "the AWS region of the tables", "us-east-1")
DATABASE = optional("SALESPRO_DATABASE", "the database that the tables are in", "home_genius_db")
CATALOG = optional("SALESPRO_CATALOG", "the catalog of that database, if it is not Athena's own")
WORKGROUP = optional("SALESPRO_WORKGROUP", "the workgroup that queries run in", "primary")
CHANGED_BY = optional(
    "SALESPRO_CHANGED_BY",
    "table=column pairs with commas, for tables that call updated_at or created_at otherwise",
)
OFFICES = Variable(
    "SALESPRO_OFFICES_CSV",
    "the file of offices: a path, a folder (its newest .csv with office in its name), an address",
    way="offices",
    needed_by=("offices",),
)
USERS = Variable(
    "SALESPRO_USERS_CSV",
    "the file of users: a path, a folder (its newest .csv with user in its name), an address",
    way="users",
    needed_by=("users",),
)
BASE_URL = optional("SALESPRO_BASE_URL", "where Athena is, if not where the region has it")

VARIABLES = (
    S3_LOCATION,
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    REGION,
    DATABASE,
    CATALOG,
    WORKGROUP,
    CHANGED_BY,
    OFFICES,
    USERS,
    BASE_URL,
)
