/**
 * The coins of one deposit address on their way to the master wallet: gas first where it is needed, then the
 * sweep, then the books.
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

/** Something was credited to the address, or somebody asked: look again before the end. */
export const look = defineSignal('look')

export interface ConsolidationResult {
  /** Ids of the movements that were seen through. */
  readonly movements: readonly string[]
  readonly message: string
}

/**
 * More rounds than gas, sweep and a look take mean that something goes in a circle; the sweeper starts anew.
 */
const MOST_ROUNDS = 20
const SECOND = 1_000
const POLL = { first: 5 * SECOND, most: 60 * SECOND } as const

const { planConsolidation } = proxyActivities<TreasuryActivities>({
  taskQueue: TASK_QUEUE.chain,
  startToCloseTimeout: '1m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
  summary: 'Looks what is to be moved',
})
const { readWithdrawal } = proxyLocalActivities<WithdrawalActivities>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})

/**
 * Moves until there is nothing left to move. A movement that fails ends this; the row says when to look
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
        // Asked for while it was planned: what was found then may be old.
        if (looks === seen) return { movements, message: step.message }
        last = null
        break
      default:
        return assertNever(step)
    }
    if (round >= MOST_ROUNDS) return { movements, message: 'Too many rounds; the sweeper starts anew' }
  }
}

/** The movement is a withdrawal like any other, run as a child; the sweeper may have started it before us. */
async function seeThrough(movement: WithdrawalInput): Promise<LastMovement> {
  try {
    const { stage } = await executeChild<typeof withdrawal>('withdrawal', {
      workflowId: withdrawalId(movement.id),
      args: [movement],
      taskQueue: TASK_QUEUE.core,
      // It goes on whatever becomes of us: signed bytes must be followed.
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
    // Running already, or cut short: the sweeper starts it again, and the row says how it ends.
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
