/**
 * Walks the main job once on the local chains, as a merchant, its users and its approvers do: over HTTP only.
 */

import { randomBytes } from 'node:crypto'
import type { ExportedXpub } from '../../client/check-address.js'
import type { Address } from '../../client/types.js'
import type { Say } from '../parts/say.js'
import type { StackFile } from '../stack/stack-file.js'
import { walkBatch } from './batch.js'
import { walkConsolidation } from './consolidation.js'
import { type Flow, flowsOf } from './flows.js'
import { walkLeg } from './leg.js'
import { walkMainJob } from './main-job.js'
import { walkPayment } from './payment.js'
import { clientOf } from './people.js'
import { restingChain, walkSpeedUp } from './speed-up.js'

export interface Walked {
  /** Whether every step succeeded. */
  readonly succeeded: boolean
  /** URL of the checkout page of the walk's payment. `null` if that leg failed. */
  readonly checkoutUrl: string | null
}

/**
 * Deposits each coin to an address of a user and waits for the credit and its webhooks. Then it withdraws
 * each coin: two people approve, the customer's signer signs, the chain confirms. It also pays a batch on
 * each family of chains, sweeps a user's tokens, speeds a withdrawal up and pays in the sample shop. Each
 * step is a line, and the first that fails ends its leg.
 *
 * @param xpubs - The keys that the customer's signer exported. The client derives every address of the API
 * from them again.
 */
export async function walk(stack: StackFile, xpubs: readonly ExportedXpub[], say: Say): Promise<Walked> {
  const client = clientOf(stack.api, stack.merchant, xpubs)
  const user = `user-${randomBytes(3).toString('hex')}`
  say(`Walking the main job as ${user} of merchant ${stack.merchant.id}`)
  const flows = flowsOf(stack)
  const mainJob = async (flow: Flow): Promise<boolean> => {
    let address: Address | undefined
    const done = await walkLeg(flow.coin.toUpperCase(), say, async (leg) => {
      // A sweep of a user who has tokens alone needs gas first.
      const owner = flow.coin === 'usdt' ? `${user}-tokens` : user
      address = await walkMainJob(stack, client, owner, flow, leg)
    })
    const at = address
    if (!at || flow.coin !== 'usdt') return done
    return walkLeg('sweep', say, (leg) => walkConsolidation(client, flow, at, leg))
  }
  const batch = (flow: Flow) => walkLeg('batch', say, (leg) => walkBatch(stack, client, flow, leg))
  let checkoutUrl: string | null = null
  const payment = walkLeg('shop', say, async (leg) => {
    checkoutUrl = await walkPayment(stack, client, leg)
  })
  const resting = restingChain(stack).network
  const mainJobs = flows.map((flow) => ({ flow, done: mainJob(flow) }))
  const batches = flows.filter(({ coin }) => coin === 'usdt' || coin === 'btc').map(batch)
  // The chain does not grow during this leg, so no other leg may need it any more.
  const others = mainJobs.filter(({ flow }) => flow.network === resting).map(({ done }) => done)
  if (resting === 'ethereum') others.push(...batches, payment)
  const speedUp = Promise.all(others).then(() =>
    walkLeg('speed', say, (leg) => walkSpeedUp(stack, client, leg)),
  )
  const passed = await Promise.all([...mainJobs.map(({ done }) => done), ...batches, payment, speedUp])
  const succeeded = passed.every(Boolean)
  say(succeeded ? `All steps succeeded (${flows.length} coins)` : 'The walk failed')
  return { succeeded, checkoutUrl }
}
