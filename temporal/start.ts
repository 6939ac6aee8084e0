/** Starts every workflow, with its id, task queue, summary and search attributes. */

import { type WorkflowClient, WorkflowNotFoundError } from '@temporalio/client'
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
  exportId,
  paymentId,
  reconciliationId,
  rescanId,
  webhookCircuitId,
  webhookDeliveryId,
  webhookReplayId,
  withdrawalId,
} from './ids.js'
import type {
  BatchInput,
  ChainWatcherInput,
  ConsolidationInput,
  ControlChangeInput,
  DepositInput,
  ExportInput,
  PaymentInput,
  ReconciliationInput,
  RescanInput,
  WebhookCircuitInput,
  WebhookDeliveryInput,
  WebhookReplayInput,
  WithdrawalInput,
} from './inputs.js'
import { SEARCH_ATTRIBUTE } from './search-attributes.js'
import { TASK_QUEUE, type TaskQueue } from './task-queues.js'

/**
 * Starts the workflow of a deposit, or finds it running. A new run may follow a closed one, because a
 * reverted deposit can be mined again.
 *
 * @returns Whether this call started it.
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
 * Starts the workflow of a payment, or signals a running one that the row has changed. A run cannot close
 * without seeing it. A new run follows a closed one when a reorg takes a payment back.
 *
 * @param open - Whether the payment has work left. Otherwise a running workflow is signalled, so that it ends,
 * and none is started.
 */
export async function wakePayment(
  client: WorkflowClient,
  { input, open }: { readonly input: PaymentInput; readonly open: boolean },
): Promise<void> {
  if (!open) {
    try {
      await client.getHandle(paymentId(input.id)).signal('depositChanged')
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error
    }
    return
  }
  await client.signalWithStart('payment', {
    workflowId: paymentId(input.id),
    taskQueue: TASK_QUEUE.core,
    args: [input],
    signal: 'depositChanged',
    signalArgs: [],
    staticSummary: `Payment of ${input.title}`.slice(0, 200),
    typedSearchAttributes: new TypedSearchAttributes([
      { key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId },
      { key: SEARCH_ATTRIBUTE.network, value: input.network },
      { key: SEARCH_ATTRIBUTE.coin, value: input.coin },
    ]),
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  })
}

/**
 * Starts the workflow of a payout, or finds it. A second run follows only if the first did not complete, or
 * if a reorg removed the transaction that had settled the payout.
 *
 * @returns Whether this call started it.
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

/**
 * Starts the workflow of a consolidation, or signals a running one to check again. A run cannot close without
 * seeing it.
 */
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

/**
 * Starts the workflow of a batch, or finds it. A second run follows only if the first did not complete.
 *
 * @returns Whether this call started it.
 */
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

/**
 * Starts the workflow of a webhook delivery, or finds it running. A redelivery is a new run after a closed
 * one.
 *
 * @param eager - Whether the server may give the first workflow task to this process at once. It needs a
 * client on the connection of a worker of the queue `webhooks`.
 */
export async function startWebhookDelivery(
  client: WorkflowClient,
  input: WebhookDeliveryInput,
  eager = false,
): Promise<void> {
  const workflowId = webhookDeliveryId(input.eventId, input.endpointId)
  const options = {
    summary: `Webhook ${input.title}`,
    attributes: [{ key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId }],
    again: true,
    eager,
  }
  if (!input.resumed) {
    await start(client, 'webhookDelivery', workflowId, TASK_QUEUE.webhooks, input, options)
    return
  }
  // A run cannot close without having seen a signal, whereas a plain start could find a run that is about to
  // close.
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

/** Starts the workflow of an endpoint's circuit, or signals a running one to read the circuit again. */
export async function startWebhookCircuit(
  client: WorkflowClient,
  endpoint: { readonly id: string; readonly merchantId: string; readonly url: string },
): Promise<void> {
  const title = hostOf(endpoint.url)
  const input: WebhookCircuitInput = { endpointId: endpoint.id, merchantId: endpoint.merchantId, title }
  await client.signalWithStart('webhookCircuit', {
    workflowId: webhookCircuitId(endpoint.id),
    taskQueue: TASK_QUEUE.webhooks,
    args: [input],
    signal: 'look',
    signalArgs: [],
    staticSummary: `Circuit of ${title}`.slice(0, 200),
    typedSearchAttributes: new TypedSearchAttributes([
      { key: SEARCH_ATTRIBUTE.merchant, value: endpoint.merchantId },
    ]),
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  })
}

/** Starts the workflow of a replay, or signals a running one that its row has changed. */
export async function startWebhookReplay(
  client: WorkflowClient,
  replay: {
    readonly id: string
    readonly endpointId: string
    readonly merchantId: string
    readonly url: string
  },
): Promise<void> {
  const { id, endpointId, merchantId, url } = replay
  const input: WebhookReplayInput = { id, endpointId, merchantId, title: hostOf(url) }
  await client.signalWithStart('webhookReplay', {
    workflowId: webhookReplayId(id),
    taskQueue: TASK_QUEUE.webhooks,
    args: [input],
    signal: 'look',
    signalArgs: [],
    staticSummary: `Replay to ${input.title}`.slice(0, 200),
    typedSearchAttributes: new TypedSearchAttributes([{ key: SEARCH_ATTRIBUTE.merchant, value: merchantId }]),
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  })
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'an address that is no URL')

const CONTROL_CHANGE_NAME: Readonly<Record<ControlChangeKind, string>> = {
  policy: 'Policy',
  whitelist: 'Whitelist',
  deposit_release: 'Release of a deposit',
  exception_resolution: 'Resolution of an exception',
  period_close: 'Close of a period',
  period_reopen: 'Re-opening of a period',
  settlement_resume: 'Resumption of settlement',
}

/**
 * Starts the workflow of a control change, or finds it. A second run follows only if the first did not
 * complete.
 *
 * @returns Whether this call started it.
 */
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

/**
 * Starts the workflow of an export job, or finds it. A second run follows only if the first did not complete.
 *
 * @returns Whether this call started it.
 */
export async function startExport(client: WorkflowClient, input: ExportInput): Promise<boolean> {
  return start(client, 'exportJob', exportId(input.id), TASK_QUEUE.core, input, {
    summary: `Export of ${input.title}`,
    attributes: [{ key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId }],
    again: false,
  })
}

/**
 * Starts the workflow of a run of the reconciliation, or finds it. A second run follows only if the first did not
 * complete.
 *
 * @returns Whether this call started it.
 */
export async function startReconciliationRun(
  client: WorkflowClient,
  input: ReconciliationInput,
): Promise<boolean> {
  return start(client, 'reconciliation', reconciliationId(input.id), TASK_QUEUE.core, input, {
    summary: `Reconciliation: ${input.title}`,
    attributes: [{ key: SEARCH_ATTRIBUTE.merchant, value: input.merchantId }],
    again: false,
  })
}

/**
 * Starts the workflow of a rescan, or finds it. A second run follows only if the first did not complete.
 *
 * @returns Whether this call started it.
 */
export async function startRescan(client: WorkflowClient, input: RescanInput): Promise<boolean> {
  return start(client, 'rescan', rescanId(input.id), TASK_QUEUE.core, input, {
    summary: `Scans blocks of ${input.network} again`,
    attributes: [{ key: SEARCH_ATTRIBUTE.network, value: input.network }],
    again: false,
  })
}

/** Starts the singleton that follows a chain, or finds it running. */
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
  /** Whether a new run may follow one that completed. A new run may always follow an interrupted one. */
  readonly again: boolean
  /** Whether the server may give the first workflow task to this process at once. */
  readonly eager?: boolean
}

/**
 * Starts a workflow. A workflow that runs already, or that may not run again, is no error: the row holds the
 * work.
 *
 * @returns Whether this call started it.
 */
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
      ...(options.eager ? { requestEagerStart: true } : {}),
    })
    return true
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
    return false
  }
}
