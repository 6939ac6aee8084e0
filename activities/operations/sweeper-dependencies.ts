/** Declares the dependencies and limits of the sweeper. */

import type { Sql } from '../../db/connect.js'
import type { AlertSettings } from '../../db/operations/alerts/watch-withdrawals.js'
import type { Networks } from '../../domain/chain/network.js'
import type { Logger } from '../../telemetry/logger.js'
import type {
  CircuitGate,
  ConsolidationGate,
  ControlChangeGate,
  ExportGate,
  ReconciliationGate,
  ReplayGate,
  RescanGate,
  ScheduleGate,
  WorkflowGate,
} from '../../temporal/workflow-gate.js'

export interface SweeperDependencies {
  readonly sql: Sql
  readonly networks: Networks
  readonly gate: WorkflowGate &
    ControlChangeGate &
    ConsolidationGate &
    CircuitGate &
    ReplayGate &
    ExportGate &
    ReconciliationGate &
    RescanGate
  /** Access to Temporal's Schedules. Absent in tests without schedules. */
  readonly schedules?: ScheduleGate
  /** Thresholds of alerts. Absent in tests without alerts. */
  readonly alerts?: AlertSettings
  readonly log: Logger
  /** Milliseconds after which a signal without effect is sent again. */
  readonly signalAgainAfterMs: number
  /** Milliseconds that a row may wait before the sweeper serves it, so that it does not race the API. */
  readonly graceMs: number
  /** Milliseconds without a move after which the sweeper checks the row's workflow. Default: 5 minutes. */
  readonly unseenMs?: number
  /** `KEYTURN_SIGNER_OFFLINE_AFTER`, in milliseconds. */
  readonly signerOfflineAfterMs: number
  /** `KEYTURN_IDEMPOTENCY_WINDOW`, in milliseconds. */
  readonly idempotencyWindowMs: number
  /** `KEYTURN_EXPORT_RETENTION`, in milliseconds. Absent in tests without exports. */
  readonly exportRetentionMs?: number
  /** `KEYTURN_RECONCILIATION_RETENTION`, in milliseconds; 0 keeps everything. Absent in tests without old rows. */
  readonly reconciliationRetentionMs?: number
  /** `KEYTURN_RECONCILIATION_INTERVAL`, in milliseconds; 0 for none. Absent in tests without schedules. */
  readonly reconciliationIntervalMs?: number
  /** `KEYTURN_NONCE_GAP_AFTER`, in milliseconds. */
  readonly nonceGapAfterMs: number
  /** `KEYTURN_UNANSWERED_AFTER`, in milliseconds. */
  readonly unansweredAfterMs: number
  /** `KEYTURN_WEBHOOK_RETRY_INTERVAL`, in milliseconds. */
  readonly webhookRetryIntervalMs: number
  /** `KEYTURN_WEBHOOK_RETRY_WINDOW`, in milliseconds. */
  readonly webhookRetryWindowMs: number
}

/** Calls to Temporal under way at once. */
export const SWEEP_CONCURRENCY = 16
