"""What Five9's client reads from the environment."""

from __future__ import annotations

from crm_sync_assets.declarations.variables import Variable, optional

USERNAME = Variable(
    "FIVE9_USERNAME", "the name of a user who may use the API", example="api@example.com"
)
PASSWORD = Variable("FIVE9_PASSWORD", "the password of that user", secret=True)
TIME_ZONE = Variable(
    "FIVE9_TZ",
    "the zone that the domain's clock shows (its times do not say; a wrong one shifts them all), "
    "like America/Los_Angeles",
    example="America/Los_Angeles",
)
BASE_URL = optional(
    "FIVE9_BASE_URL",
    "where the domain's data center is: https://api.five9.com, https://api.five9.ca, "
    "https://api.five9.eu, https://api.eu.five9.com or https://api.in.five9.com",
    "https://api.five9.com",
)
VERSION = optional("FIVE9_VERSION", "the version of the web service", "v13")
MOST_RECORDS = optional(
    "FIVE9_MOST_RECORDS",
    "how many contacts one answer has at most: one with so many is taken for cut",
    "1000",
)
REPORT_FOLDER = optional(
    "FIVE9_REPORT_FOLDER",
    "the folder of a report of contacts by the time of their last change, with all contact fields: "
    "deltas are read by it …",
)
REPORT_NAME = optional("FIVE9_REPORT_NAME", "… and the report's name")

VARIABLES = (
    USERNAME,
    PASSWORD,
    TIME_ZONE,
    BASE_URL,
    VERSION,
    MOST_RECORDS,
    REPORT_FOLDER,
    REPORT_NAME,
)
