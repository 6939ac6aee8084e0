/** The main job once, on the local chains, as a merchant, its users and its approvers see it: over HTTP only. */

import { randomBytes } from 'node:crypto'
import type { ExportedXpub } from '../../client/check-address.js'
import type { Say } from '../parts/find-executable.js'
import type { StackFile } from '../stack/stack-file.js'
import { flowsOf } from './flows.js'
import { walkLeg } from './leg.js'
import { walkMainJob } from './main-job.js'
import { clientOf } from './people.js'

/**
 * Deposits of each coin to addresses of a user, credited and told to the merchant; then a withdrawal of each, approved by two
 * people, signed by the customer's signer, confirmed on chain. Each step is a line.
 *
 * @param xpubs - What the customer's signer exported: every address that the API gives is derived from it anew.
 * @returns Whether every step succeeded; the first failure of a coin ends that coin's steps.
 */
export async function walk(stack: StackFile, xpubs: readonly ExportedXpub[], say: Say): Promise<boolean> {
  const client = clientOf(stack.api, stack.merchant, xpubs)
  const user = `user-${randomBytes(3).toString('hex')}`
  say(`Walking the main job as ${user} of merchant ${stack.merchant.id}`)
  const flows = flowsOf(stack)
  const passed = await Promise.all(
    flows.map((flow) =>
      walkLeg(flow.coin.toUpperCase(), say, (leg) => walkMainJob(stack, client, user, flow, leg)),
    ),
  )
  const succeeded = passed.every(Boolean)
  say(succeeded ? `All steps succeeded (${flows.length} coins)` : 'The walk failed')
  return succeeded
}
