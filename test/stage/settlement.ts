/** Pauses settlement and resumes it, as people of the merchant do. */

import type { Stage } from './start-stage.js'
import type { Answer } from './test-api.js'

/** Presses the button. */
export const pauseSettlement = (stage: Stage, reason = 'a laptop was stolen'): Promise<Answer> =>
  stage.api.call({ method: 'POST', path: '/api/v1/settlement/pause', body: { reason } })

/** Asks for the end of the pause. @returns The id of the request. @throws Error when the API refuses it. */
export async function askToResume(stage: Stage): Promise<string> {
  const [initiator] = stage.people
  const { status, json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/settlement/resume',
    body: { reason: 'it was found' },
    key: initiator.key,
  })
  if (status !== 202) throw new Error(JSON.stringify(json))
  return json.data.approval.path.split('/').at(-1)
}

/** Asks for the end of the pause, and has both approvers approve it. */
export async function resumeSettlement(stage: Stage): Promise<void> {
  await stage.approve(await askToResume(stage))
}

/** Ends every pause without anyone's approval, so that the next test begins without one. */
export async function endPauses(stage: Stage): Promise<void> {
  await stage.api.database.sql`UPDATE settlement_pauses SET resumed_at = now() WHERE resumed_at IS NULL`
}
