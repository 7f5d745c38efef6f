"""What can be turned about Five9 alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class Five9Knobs:
    """five9_most               the most records of one answer, which does not say that it was cut
    five9_queries               queries within a minute, then a fault
    five9_counters              getCallCountersState may be asked for
    five9_id_wildcards          % works in a criterion of contactID; else such a criterion fits none
    five9_date_wildcards        % works in a criterion of a moment; else it is a fault
    five9_blank_matches         a criterion without a value fits contacts that have none there
    five9_lists_have_all        each contact is in one list; else some are in none, some in two
    five9_unmapped              no field is mapped to the moment of a contact's last change
    five9_control_characters    first names have a character that XML has not
    five9_more_fields           the domain has got one more field
    five9_report_polls          how often a report is said to be running
    five9_report_rows           the most rows of a report, which does not say that it was cut
    five9_report_lacks          a field that the report does not have
    five9_report_campaign       the report has contacts of this campaign alone
    five9_reports_forgotten     no report is known any more
    """

    five9_most: int = 1_000
    five9_queries: int = 500
    five9_counters: bool = True
    five9_id_wildcards: bool = True
    five9_date_wildcards: bool = True
    five9_blank_matches: bool = True
    five9_lists_have_all: bool = False
    five9_unmapped: bool = False
    five9_control_characters: bool = False
    five9_more_fields: bool = False
    five9_report_polls: int = 1
    five9_report_rows: int = 50_000
    five9_report_lacks: str = ""
    five9_report_campaign: str = ""
    five9_reports_forgotten: bool = False
