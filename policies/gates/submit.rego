# METADATA
# title: The gate submit
# description: May this task start? The zone asks, and each hospital before it releases its data key.
# custom:
#   title_ko: 게이트 작업 제출
#   plain_ko: 허가받은 코드와 이미지로, 학습 작업에는 train 부분만 붙여 실행합니다.
#   plain_en: Runs approved code in an approved image; training sees the train parts only.
#   owner: 공용 DRB / shared DRB
package dure.gates.submit

import data.dure.common
import data.dure.rows

default decision := {
	"allow": false,
	"reasons": [{"code": "fact-missing", "rule": "facts", "needed": "a complete set of facts", "seen": null}],
	"valid_until": null,
}

# METADATA
# entrypoint: true
decision := rows.judged(checks(input.facts, input.now), rows.until("submit", input.facts, input.now))

checks(facts, now) := rows.joined([
	common.standing(facts),
	common.permit(facts, now),
	common.agreement(facts, now),
	common.agreed_permit(facts),
	common.receipt(facts),
	common.snapshot(facts),
	common.zone(facts),
	[rows.listed("image-not-on-permit", facts, ["task", "image_digest"], ["permit", "image_digests"])],
	task(facts, rows.at(facts, ["task", "kind"])),
])

task(facts, "train") := [
	rows.listed("code-not-on-permit", facts, ["task", "code_digest"], ["permit", "code_digests"]),
	rows.exactly("holdout-mounted", facts, ["task", "parts"], ["train"]),
	rows.below("job-limit", facts, ["task", "jobs_done"], data.board.max_jobs),
]

# Holdout rows are for the zone's own code alone, and not often: what is asked again and again is learned.
task(facts, "verify") := [
	rows.listed("code-not-on-permit", facts, ["task", "code_digest"], ["zone", "verify_code"]),
	rows.below("verify-limit", facts, ["task", "verify_runs_done"], data.board.max_verify_runs),
]

task(facts, kind) := [rows.allowed("fact-missing", facts, ["task", "kind"], ["train", "verify"])] if {
	not kind in {"train", "verify"}
}
