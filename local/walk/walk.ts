/** The main job once, on the local chains, as a merchant, its users and its approvers see it: over HTTP only. */

import { randomBytes } from 'node:crypto'
import type { ExportedXpub } from '../../client/check-address.js'
import type { Address } from '../../client/types.js'
import type { Say } from '../parts/find-executable.js'
import type { StackFile } from '../stack/stack-file.js'
import { walkBatch } from './batch.js'
import { walkConsolidation } from './consolidation.js'
import { type Flow, flowsOf } from './flows.js'
import { walkLeg } from './leg.js'
import { walkMainJob } from './main-job.js'
import { clientOf } from './people.js'
import { walkSpeedUp } from './speed-up.js'

/**
 * Deposits of each coin to addresses of a user, credited and sent to the merchant's endpoint; then a withdrawal of each, approved by two
 * people, signed by the customer's signer, confirmed on chain. Beside that a batch on each family of chains; afterwards a user's
 * tokens are swept, and a withdrawal is sped up. Each step is a line.
 *
 * @param xpubs - What the customer's signer exported: every address that the API gives is derived from it again.
 * @returns Whether every step succeeded; the first failure of a coin ends that coin's steps.
 */
export async function walk(stack: StackFile, xpubs: readonly ExportedXpub[], say: Say): Promise<boolean> {
  const client = clientOf(stack.api, stack.merchant, xpubs)
  const user = `user-${randomBytes(3).toString('hex')}`
  say(`Walking the main job as ${user} of merchant ${stack.merchant.id}`)
  const flows = flowsOf(stack)
  const flowOf = (coin: Flow['coin']) => flows.find((flow) => flow.coin === coin)
  const mainJob = async (flow: Flow): Promise<boolean> => {
    let address: Address | undefined
    const done = await walkLeg(flow.coin.toUpperCase(), say, async (leg) => {
      // Who has tokens alone needs gas to have them swept.
      const owner = flow.coin === 'usdt' ? `${user}-tokens` : user
      address = await walkMainJob(stack, client, owner, flow, leg)
    })
    const at = address
    if (!at || flow.coin !== 'usdt') return done
    return walkLeg('sweep', say, (leg) => walkConsolidation(client, flow, at, leg))
  }
  const batch = (flow: Flow) => walkLeg('batch', say, (leg) => walkBatch(stack, client, flow, leg))
  const passed = await Promise.all([
    ...flows.map(mainJob),
    ...flows.filter(({ coin }) => coin === 'usdt' || coin === 'btc').map(batch),
  ])
  // Last, and alone: the chain does not grow meanwhile.
  const eth = flowOf('eth')
  if (eth) passed.push(await walkLeg('speed', say, (leg) => walkSpeedUp(stack, client, eth, leg)))
  const succeeded = passed.every(Boolean)
  say(succeeded ? `All steps succeeded (${flows.length} coins)` : 'The walk failed')
  return succeeded
}
