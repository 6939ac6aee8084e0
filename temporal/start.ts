/** How every workflow of the product is started: its id, queue, summary and search attributes, in this one place. */

import type { WorkflowClient } from '@temporalio/client'
import {
  type SearchAttributePair,
  TypedSearchAttributes,
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdReusePolicy,
} from '@temporalio/common'
import type { ControlChangeKind } from '../domain/controls/control-change.js'
import { MOVEMENT_NAME } from '../domain/payouts/treasury.js'
import {
  batchId,
  CONTROL_CHANGE_WORKFLOW,
  chainWatcherId,
  consolidationId,
  controlChangeId,
  depositId,
  webhookDeliveryId,
  withdrawalId,
} from './ids.js'
import type {
  BatchInput,
  ChainWatcherInput,
  ConsolidationInput,
  ControlChangeInput,
  DepositInput,
  WebhookDeliveryInput,
  WithdrawalInput,
} from './inputs.js'
import { SEARCH_ATTRIBUTE } from './search-attributes.js'
import { TASK_QUEUE, type TaskQueue } from './task-queues.js'

/**
 * Starts (or finds) the workflow of a deposit. A closed one is followed by a new run: a reverted deposit was mined again.
 *
 * @returns Whether it was started now.
 */
export async function startDeposit(client: WorkflowClient, input: DepositInput): Promise<boolean> {
  const id = depositId(input.network, input.txid, input.index, input.variant)
  return start(client, 'deposit', id, TASK_QUEUE.core, input, {
    summary: `Deposit of ${input.title}`,
    attributes: [
      { key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId },
      { key: SEARCH_ATTRIBUTE.network, value: input.network },
      { key: SEARCH_ATTRIBUTE.coin, value: input.coin },
    ],
    again: true,
  })
}

/**
 * Starts (or finds) the workflow of a withdrawal. A second run only follows one that did not reach its end, or whose end the
 * chain took back.
 *
 * @returns Whether it was started now.
 */
export async function startWithdrawal(client: WorkflowClient, input: WithdrawalInput): Promise<boolean> {
  return start(client, 'withdrawal', withdrawalId(input.id), TASK_QUEUE.core, input, {
    summary: `${input.kind === undefined ? 'Withdrawal' : MOVEMENT_NAME[input.kind]} of ${input.title}`,
    attributes: [
      { key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId },
      { key: SEARCH_ATTRIBUTE.network, value: input.network },
      { key: SEARCH_ATTRIBUTE.coin, value: input.coin },
      { key: SEARCH_ATTRIBUTE.stage, value: 'requested' },
    ],
    again: input.reopened === true,
  })
}

/** Starts the workflow of a consolidation, or has a running one look again: a run that is about to end sees the signal first. */
export async function startConsolidation(client: WorkflowClient, input: ConsolidationInput): Promise<void> {
  await client.signalWithStart('consolidation', {
    workflowId: consolidationId(input.network, input.coin, input.id),
    taskQueue: TASK_QUEUE.core,
    args: [input],
    signal: 'look',
    signalArgs: [],
    staticSummary: `Consolidation of ${input.title}`.slice(0, 200),
    typedSearchAttributes: new TypedSearchAttributes([
      { key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId },
      { key: SEARCH_ATTRIBUTE.network, value: input.network },
      { key: SEARCH_ATTRIBUTE.coin, value: input.coin },
    ]),
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  })
}

/** Starts (or finds) the workflow of a batch; a second run only follows one that did not reach its end. @returns Whether it was started now. */
export async function startBatch(client: WorkflowClient, input: BatchInput): Promise<boolean> {
  return start(client, 'batch', batchId(input.id), TASK_QUEUE.core, input, {
    summary: `Batch of ${input.title}`,
    attributes: [
      { key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId },
      { key: SEARCH_ATTRIBUTE.network, value: input.network },
      { key: SEARCH_ATTRIBUTE.coin, value: input.coin },
      { key: SEARCH_ATTRIBUTE.stage, value: 'requested' },
    ],
    again: false,
  })
}

/** Starts (or finds) the workflow of a webhook delivery. A closed one starts anew: that is a redelivery. */
export async function startWebhookDelivery(
  client: WorkflowClient,
  input: WebhookDeliveryInput,
): Promise<void> {
  const workflowId = webhookDeliveryId(input.eventId, input.endpointId)
  const options = {
    summary: `Webhook ${input.title}`,
    attributes: [{ key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId }],
    again: true,
  }
  if (!input.resumed) {
    await start(client, 'webhookDelivery', workflowId, TASK_QUEUE.webhooks, input, options)
    return
  }
  // With a signal no run can close without having seen it; a plain start would find a run that is about to close.
  await client.signalWithStart('webhookDelivery', {
    workflowId,
    taskQueue: TASK_QUEUE.webhooks,
    args: [input],
    signal: 'retryNow',
    signalArgs: [],
    staticSummary: options.summary.slice(0, 200),
    typedSearchAttributes: new TypedSearchAttributes(options.attributes),
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  })
}

const CONTROL_CHANGE_NAME: Readonly<Record<ControlChangeKind, string>> = {
  policy: 'Policy',
  whitelist: 'Whitelist',
  deposit_release: 'Release of a deposit',
}

/** Starts (or finds) the workflow of a change of controls; a second run only follows one that did not reach its end. @returns Whether it was started now. */
export async function startControlChange(
  client: WorkflowClient,
  input: ControlChangeInput,
): Promise<boolean> {
  const workflowId = controlChangeId(input.kind, input.id)
  return start(client, CONTROL_CHANGE_WORKFLOW[input.kind], workflowId, TASK_QUEUE.core, input, {
    summary: `${CONTROL_CHANGE_NAME[input.kind]}: ${input.title}`,
    attributes: [{ key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId }],
    again: false,
  })
}

/** Starts (or finds) the singleton that follows a chain. */
export async function startChainWatcher(client: WorkflowClient, input: ChainWatcherInput): Promise<void> {
  await start(client, 'chainWatcher', chainWatcherId(input.network), TASK_QUEUE.core, input, {
    summary: `Follows ${input.network}`,
    attributes: [{ key: SEARCH_ATTRIBUTE.network, value: input.network }],
    again: true,
  })
}

interface StartOptions {
  readonly summary: string
  readonly attributes: SearchAttributePair[]
  /** Whether a workflow of this id that reached its end may be followed by a new run; one that was cut short always may. */
  readonly again: boolean
}

/** Running already, or closed for good: both are success, because the row says what is to be done. @returns False then. */
async function start(
  client: WorkflowClient,
  type: string,
  workflowId: string,
  taskQueue: TaskQueue,
  input: object,
  options: StartOptions,
): Promise<boolean> {
  try {
    await client.start(type, {
      workflowId,
      taskQueue,
      args: [input],
      staticSummary: options.summary.slice(0, 200),
      typedSearchAttributes: new TypedSearchAttributes(options.attributes),
      workflowIdReusePolicy: options.again
        ? WorkflowIdReusePolicy.ALLOW_DUPLICATE
        : WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    })
    return true
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
    return false
  }
}
