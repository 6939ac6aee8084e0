/** Lists the types of what the API takes and answers. Amounts are decimal strings in whole coins, times ISO 8601 UTC. */

export type { Address, AddressFilter, NewAddress } from '../wire/address.js'
export type { ApiKey, ApiKeyWithSecret, KeyRotation, NewApiKey, RevokedApiKey } from '../wire/api-key.js'
export type { Approval, ApprovalDecision, ListedApproval, ReviewDecision } from '../wire/approval.js'
export type { AuditEntry, AuditFilter, AuditVerification } from '../wire/audit-entry.js'
export type {
  Balance,
  BalanceFilter,
  BalanceTotals,
  BalanceTotalsFilter,
  SpendableBalance,
} from '../wire/balance.js'
export type { Batch, BatchFilter, BatchItem, BatchSummary, NewBatch } from '../wire/batch.js'
export type { CashierAction, CashierSession, NewCashierSession } from '../wire/cashier.js'
export type { ControlChangeState } from '../wire/control-change.js'
export type {
  AwaitedApproval,
  Deposit,
  DepositAwaitingApproval,
  DepositFilter,
  DepositWithHistory,
} from '../wire/deposit.js'
export type { ErrorAnswer } from '../wire/error.js'
export type { EstimateRequest, WithdrawalEstimate } from '../wire/estimate.js'
export type {
  BalanceUpdated,
  BatchStatusChanged,
  EventData,
  EventEnvelope,
  ExceptionRaised,
  MerchantEvent,
  MovementStatusChanged,
  PaymentStatusChanged,
  PolicyStatusChanged,
  SignerOffline,
  SignerOnline,
  TransactionReplaced,
  WalletLowBalance,
  WebhookEndpointDisabled,
  WebhookEndpointEnabled,
  WebhookEndpointFailing,
  WebhookTested,
  WhitelistStatusChanged,
  WithdrawalStatusChanged,
} from '../wire/event.js'
export type {
  Exception,
  ExceptionAssignment,
  ExceptionBulk,
  ExceptionBulkDone,
  ExceptionComment,
  ExceptionDecision,
  ExceptionFilter,
  ExceptionKind,
  ExceptionStatus,
  ExceptionUpload,
  ExceptionUploadQuery,
  ExceptionWithHistory,
  MoveJournal,
  NewDispute,
  NewExceptionComment,
  WriteOffJournal,
} from '../wire/exception.js'
export type {
  ExportDatasetName,
  ExportedAddress,
  ExportFormatName,
  ExportJob,
  ExportQuery,
  ExportStatus,
  LedgerEntry,
  NewExport,
} from '../wire/export.js'
export type { Failure } from '../wire/failure.js'
export type {
  LifecycleGate,
  LifecycleMapping,
  LifecycleMappingUpdate,
  OrderUpload,
  RejectedLine,
} from '../wire/lifecycle.js'
export type { DecideMerchant, DecideRail, Merchant, MerchantWithDecisions } from '../wire/merchant.js'
export type {
  Consolidation,
  ConsolidationRequest,
  Movement,
  MovementFilter,
  NewConsolidation,
} from '../wire/movement.js'
export type { NetworkStatus } from '../wire/network.js'
export type { Pagination, Paging } from '../wire/paging.js'
export type {
  NewPayment,
  Payment,
  PaymentDeposit,
  PaymentFilter,
  PaymentFlag,
  PaymentHistoryEntry,
  PaymentStatus,
  Quote,
  Reissue,
  Tolerance,
} from '../wire/payment.js'
export type { Payout } from '../wire/payout.js'
export type {
  ChecklistItem,
  ClosePeriod,
  Period,
  PeriodFilter,
  PeriodSummary,
  ProofBlock,
  ReopenPeriod,
  TrialBalanceLine,
} from '../wire/period.js'
export type { PolicyChange, PolicyEdit, PolicyUpdate, PolicyVersion } from '../wire/policy.js'
export type { Priority } from '../wire/priority.js'
export type { Reason } from '../wire/reason.js'
export type {
  Difference,
  DifferenceFilter,
  FoundDifference,
  NewReconciliationRun,
  ReconciliationCheck,
  ReconciliationRun,
} from '../wire/reconciliation.js'
export type { SettlementQuery, SettlementReport } from '../wire/report.js'
export type { NewRescan, Rescan } from '../wire/rescan.js'
export type { Risk } from '../wire/risk.js'
export type {
  NewWithdrawalSchedule,
  ScheduleFilter,
  ScheduleFiring,
  WithdrawalSchedule,
  WithdrawalScheduleChange,
  WithdrawalScheduleWithTimes,
} from '../wire/schedule.js'
export type {
  NewOperatorPause,
  OperatorPause,
  OperatorResume,
  PauseSettlement,
  ResumeSettlement,
  ResumeVotes,
  Settlement,
  SettlementPause,
} from '../wire/settlement.js'
export type { Statement, StatementLine, StatementQuery } from '../wire/statement.js'
export type { DateRange } from '../wire/time.js'
export type { NewTransfer, Transfer, TransferFilter } from '../wire/transfer.js'
export type { NewWallet, Wallet, WalletFilter } from '../wire/wallet.js'
export type { ConformanceCase, WebhookConformance } from '../wire/webhook-conformance.js'
export type { DeliveryFilter, WebhookDelivery, WebhookFailureClass } from '../wire/webhook-delivery.js'
export type {
  DeletedWebhookEndpoint,
  NewWebhookEndpoint,
  ReplayRange,
  SecretRotation,
  WebhookEndpoint,
  WebhookEndpointChange,
  WebhookEndpointWithSecret,
  WebhookTest,
} from '../wire/webhook-endpoint.js'
export type { NewWebhookReplay, ReplayMode, StartedReplay, WebhookReplay } from '../wire/webhook-replay.js'
export type { StatsWindow, WebhookStats } from '../wire/webhook-stats.js'
export type { NewWhitelistEntry, WhitelistEntry, WhitelistFilter } from '../wire/whitelist.js'
export type {
  Attempt,
  NewWithdrawal,
  Retry,
  SpeedUp,
  Withdrawal,
  WithdrawalFilter,
  WithdrawalStatus,
} from '../wire/withdrawal.js'
