/**
 * One deposit, from its first sight to its credit. The row is the truth; this process waits, takes the steps
 * and shows them.
 */

import {
  condition,
  defineSignal,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow'
import type { ConfirmResult, DepositActivities, ScreeningActivities } from '../activities/deposits/deposit.js'
import { assertNever } from '../domain/assert-never.js'
import type { DepositInput } from '../temporal/inputs.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'

/** The scanned chain reached the height at which the deposit counts. */
export const heightReached = defineSignal('heightReached')
/** The block of the deposit left the chain. */
export const reorged = defineSignal('reorged')
/** A conflicting transaction took the inputs of the deposit. */
export const replaced = defineSignal('replaced')

export type DepositResult = 'credited' | 'held' | 'reverted' | 'replaced' | 'unknown'

type Waiting = Extract<ConfirmResult, { kind: 'waiting' }>

/**
 * Timers wait so many times the expected time. They are the safety net behind the signal: blocks come late.
 */
const PATIENCE = 3
const MIN_WAIT_MS = 120_000
const MAX_WAIT_MS = 86_400_000

// Long outages of the database become durable timers. No step is ever given up.
const { confirmDeposit, creditDeposit, holdDeposit } = proxyLocalActivities<DepositActivities>({
  startToCloseTimeout: '5s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})
const { screenDeposit } = proxyActivities<ScreeningActivities>({
  taskQueue: TASK_QUEUE.chain,
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
  summary: 'Screening',
})

/**
 * Waits for the threshold, books the deposit, has it screened, and credits it. A deposit that is mined again
 * after a reorg gets a new run.
 */
export async function deposit(input: DepositInput): Promise<DepositResult> {
  let woken = false
  const wake = () => {
    woken = true
  }
  setHandler(heightReached, wake)
  setHandler(reorged, wake)
  setHandler(replaced, wake)
  const what = `**${input.title}** on ${input.network}, \`${input.txid}\` output ${input.index}`

  let confirmed: Exclude<ConfirmResult, Waiting>
  for (let round = 0; ; round++) {
    woken = false
    const outcome = await confirmDeposit(input.id)
    if (outcome.kind !== 'waiting') {
      confirmed = outcome
      break
    }
    setCurrentDetails(`${what}\n\n${describe(outcome)}`)
    await condition(() => woken, waitMs(outcome, round), { summary: describe(outcome) })
  }

  switch (confirmed.kind) {
    case 'credited':
      return 'credited'
    case 'held':
      return 'held'
    case 'gone':
      return confirmed.status
    case 'unknown':
      return 'unknown'
    case 'confirmed':
      break
    default:
      return assertNever(confirmed)
  }

  if (confirmed.screen) {
    setCurrentDetails(`${what}\n\nConfirmed and reserved; waits for the screening service.`)
    const screening = await screenDeposit(input.id)
    if (screening.kind === 'held') {
      const held = await holdDeposit(input.id, screening.reason)
      setCurrentDetails(`${what}\n\nHeld by screening: ${screening.reason}`)
      return resultOf(held)
    }
  }
  const credited = await creditDeposit(input.id)
  setCurrentDetails(`${what}\n\n${credited.kind === 'credited' ? 'Credited.' : `Ended: ${credited.kind}.`}`)
  return resultOf(credited)
}

function resultOf(outcome: Awaited<ReturnType<typeof creditDeposit>>): DepositResult {
  switch (outcome.kind) {
    case 'credited':
    case 'held':
      return outcome.kind
    case 'gone':
      return outcome.status
    // A reorg removed it between two steps. If it is mined again it gets a new run.
    case 'not_confirmed':
      return 'reverted'
    default:
      return assertNever(outcome)
  }
}

function describe(outcome: Waiting): string {
  const blocks = `${outcome.blocks} ${outcome.blocks === 1 ? 'block' : 'blocks'}`
  const due = new Date(Date.now() + outcome.blocks * outcome.blockTimeSeconds * 1000)
  return outcome.stage === 'detected'
    ? `In the mempool; credited ${blocks} after it is mined`
    : `${blocks} to go, expected about ${due.toISOString().slice(0, 16)}Z`
}

/**
 * Returns the length of the next wait. A transaction may stay in the mempool for weeks, so each round waits
 * twice as long and the history stays short.
 */
function waitMs(outcome: Waiting, round: number): number {
  const expected = outcome.blocks * outcome.blockTimeSeconds * 1000 * PATIENCE
  return Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, expected) * 2 ** Math.min(round, 20))
}
