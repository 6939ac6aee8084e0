/**
 * Moves the coins of one deposit address to the master wallet: gas first where it is needed, then the sweep,
 * then the books.
 */

import {
  ChildWorkflowFailure,
  TypedSearchAttributes,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common'
import {
  CancellationScope,
  condition,
  defineSignal,
  executeChild,
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow'
import type { LastMovement, PlanStep } from '../activities/payouts/movement/plan-step.js'
import type { TreasuryActivities } from '../activities/payouts/treasury.js'
import type { WithdrawalActivities } from '../activities/payouts/withdrawal.js'
import { assertNever } from '../domain/assert-never.js'
import { MOVEMENT_NAME } from '../domain/payouts/treasury.js'
import { isWithdrawalFinal } from '../domain/payouts/withdrawal-stage.js'
import { withdrawalId } from '../temporal/ids.js'
import type { ConsolidationInput, WithdrawalInput } from '../temporal/inputs.js'
import { SEARCH_ATTRIBUTE } from '../temporal/search-attributes.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'
import type { withdrawal } from './withdrawal.js'

/** The address was credited, or a person requested a consolidation: plan again before the end. */
export const look = defineSignal('look')

export interface ConsolidationResult {
  /** Ids of the movements that were followed to their end. */
  readonly movements: readonly string[]
  readonly message: string
}

/**
 * Most rounds of one run. More than gas, sweep and a last check take means that the plan repeats itself; the
 * sweeper then starts a new run.
 */
const MOST_ROUNDS = 20
const SECOND = 1_000
const POLL = { first: 5 * SECOND, most: 60 * SECOND } as const

const { planConsolidation } = proxyActivities<TreasuryActivities>({
  taskQueue: TASK_QUEUE.chain,
  startToCloseTimeout: '1m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
  summary: 'Plans what is to be moved',
})
const { readWithdrawal } = proxyLocalActivities<WithdrawalActivities>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})

/**
 * Moves coins until nothing is left to move. A movement that fails ends the run; the row says when to check
 * again.
 */
export async function consolidation(input: ConsolidationInput): Promise<ConsolidationResult> {
  let looks = 0
  setHandler(look, () => {
    looks++
  })
  const movements: string[] = []
  let last: LastMovement | null = null
  for (let round = 0; ; round++) {
    const seen = looks
    const step: PlanStep = await planConsolidation(input, last)
    switch (step.kind) {
      case 'again':
        break
      case 'move':
        show(input, `${step.movement.title} (${step.movement.id})`)
        last = await seeThrough(step.movement)
        movements.push(step.movement.id)
        break
      case 'later':
      case 'nothing':
        show(input, step.message)
        // It was requested while the plan was made, so the plan may be outdated.
        if (looks === seen) return { movements, message: step.message }
        last = null
        break
      default:
        return assertNever(step)
    }
    if (round >= MOST_ROUNDS) return { movements, message: 'Too many rounds; the sweeper starts again' }
  }
}

/**
 * Runs a movement, which is a withdrawal like any other, as a child. The sweeper may have started it before.
 */
async function seeThrough(movement: WithdrawalInput): Promise<LastMovement> {
  try {
    const { stage } = await executeChild<typeof withdrawal>('withdrawal', {
      workflowId: withdrawalId(movement.id),
      args: [movement],
      taskQueue: TASK_QUEUE.core,
      // The child goes on when this run ends: signed bytes must be followed.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
      staticSummary: `${MOVEMENT_NAME[movement.kind ?? 'consolidation']} of ${movement.title}`.slice(0, 200),
      typedSearchAttributes: new TypedSearchAttributes([
        { key: SEARCH_ATTRIBUTE.merchant, value: movement.merchantId },
        { key: SEARCH_ATTRIBUTE.network, value: movement.network },
        { key: SEARCH_ATTRIBUTE.coin, value: movement.coin },
        { key: SEARCH_ATTRIBUTE.stage, value: 'requested' },
      ]),
    })
    return { id: movement.id, stage }
  } catch (error) {
    // It runs already, or was cut short: the sweeper starts it again, and the row says how it ends.
    const goesOn =
      error instanceof WorkflowExecutionAlreadyStartedError || error instanceof ChildWorkflowFailure
    if (!goesOn || CancellationScope.current().consideredCancelled) throw error
  }
  for (let wait: number = POLL.first; ; wait = Math.min(wait * 1.5, POLL.most)) {
    const { stage } = await readWithdrawal(movement.id, movement.network)
    if (isWithdrawalFinal(stage)) return { id: movement.id, stage }
    await condition(() => false, wait, { summary: `Follows ${movement.id}, which is ${stage}` })
  }
}

function show(input: ConsolidationInput, text: string): void {
  setCurrentDetails(`**Consolidation of ${input.title}** on ${input.network}\n\n${text}`)
}
