# METADATA
# title: Rows that several gates share
# description: Membership, permit, agreement, snapshot and zone.
# custom:
#   title_ko: 여러 게이트가 함께 쓰는 항목
#   plain_ko: 참여기관 자격, 허가, 계약, 스냅숏, 분석 구역을 확인합니다.
#   plain_en: Checks membership, permit, agreement, snapshot and zone.
#   owner: 공용 DRB / shared DRB
package dure.common

import data.dure.rows

# Who asks, and under which rules we decide.
standing(facts) := array.concat(
	[rows.exactly("not-a-member", facts, ["party", "active"], true)],
	[
		rows.exactly("standing-stale", facts, ["standing", "fresh"], true),
		rows.exactly("release-inactive", facts, ["revision", "active"], true),
	],
)

# Only data that its description calls public, in so many words, may go without what is asked of all other data.
public(facts) if rows.at(facts, ["dataset", "non_public"]) == false

unless_public(facts, asked) := asked if {
	not public(facts)
}

else := []

# Nobody here vouches for a participant of another space: it gets public data, or nothing.
foreign(facts) := [rows.exactly("zone-only", facts, ["dataset", "non_public"], false)] if {
	rows.at(facts, ["party", "foreign"]) == true
}

else := []

# The board's permit covers this party and this dataset, now. One row when there is none: nothing more can be said of it.
permit(facts, now) := [
	rows.exactly(permit_code(rows.at(facts, ["permit", "state"])), facts, ["permit", "state"], "active"),
	rows.later_than("expired", facts, ["permit", "until"], now),
	rows.at_most("no-permit", facts, ["permit", "from"], now),
	rows.same("no-permit", facts, ["permit", "applicant"], ["party", "did"]),
	rows.listed("no-permit", facts, ["dataset", "id"], ["permit", "datasets"]),
	irb(facts),
] if {
	rows.at(facts, ["permit"]) != null
}

else := [rows.present("no-permit", facts, ["permit"])]

permit_code("ended") := "expired"

permit_code(state) := "no-permit" if state != "ended"

# The ethics decision lasts to the permit's end.
irb(facts) := rows.row("irb-expired", ["permit", "irb", "until"], needed, seen, rows.not_less(seen, needed)) if {
	needed := rows.at(facts, ["permit", "until"])
	seen := rows.at(facts, ["permit", "irb", "until"])
}

# The agreement in force for this party and dataset.
agreement(facts, now) := [
	rows.exactly("no-agreement", facts, ["agreement", "state"], "FINALIZED"),
	rows.same("no-agreement", facts, ["agreement", "consumer"], ["party", "did"]),
	rows.same("no-agreement", facts, ["agreement", "dataset"], ["dataset", "id"]),
	rows.later_than("expired", facts, ["agreement", "until"], now),
] if {
	rows.at(facts, ["agreement"]) != null
}

else := [rows.present("no-agreement", facts, ["agreement"])]

# The permit under which it was made.
agreed_permit(facts) := [rows.same("no-permit", facts, ["agreement", "permit"], ["permit", "id"])]

# Use waits for the receipt that both signed and that stands in the log.
receipt(facts) := [rows.exactly("receipt-incomplete", facts, ["agreement", "receipt_complete"], true)]

# The snapshot that was agreed on, accepted by a second person, not stopped by its hospital.
snapshot(facts) := [
	rows.same("snapshot-not-accepted", facts, ["snapshot", "digest"], ["agreement", "snapshot"]),
	rows.exactly("snapshot-not-accepted", facts, ["snapshot", "accepted"], true),
	rows.at_least("snapshot-not-accepted", facts, ["snapshot", "k"], data.board.k),
	rows.exactly("provider-stopped", facts, ["snapshot", "stopped"], false),
]

# The permit's zone, a member, with walls as high as the dataset demands. The lowest walls take synthetic data only.
zone(facts) := [
	rows.same("zone-only", facts, ["zone", "did"], ["permit", "zone"]),
	rows.exactly("not-a-member", facts, ["zone", "active"], true),
	walls(facts),
	thin(facts),
]

walls(facts) := rows.row("zone-below-level", ["zone", "walls"], needed, seen, rows.not_less(rank(seen), rank(needed))) if {
	needed := rows.at(facts, ["dataset", "min_walls"])
	seen := rows.at(facts, ["zone", "walls"])
}

thin(facts) := rows.row("zone-below-level", ["dataset", "synthetic"], true, seen, ok) if {
	seen := rows.at(facts, ["dataset", "synthetic"])
	ok := thin_ok(rows.at(facts, ["zone", "walls"]), seen)
}

default thin_ok(_, _) := false

thin_ok(level, _) if level in {"full", "user"}

thin_ok("thin", synthetic) if synthetic == true

rank(level) := object.get(data.board.walls, level, null)
