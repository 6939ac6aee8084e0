/** Registers every resource under `/api/v1`. A route file exports `registerXRoutes(app, dependencies)`, called here. */

import { registerKeyRoutes } from './access/keys.js'
import { registerBalanceTotalsRoute } from './books/balance-totals.js'
import { registerBalanceRoutes } from './books/balances.js'
import { registerExceptionDecisionRoutes } from './books/exception-decisions.js'
import { registerExceptionResolutionRoute } from './books/exception-resolutions.js'
import { registerExceptionUploadRoute } from './books/exception-upload.js'
import { registerExceptionRoutes } from './books/exceptions.js'
import { registerExportJobRoutes } from './books/export-jobs.js'
import { registerExportRoutes } from './books/exports.js'
import { registerOrderRoutes } from './books/orders.js'
import { registerPeriodRoutes } from './books/periods.js'
import { registerReconciliationRoutes } from './books/reconciliation.js'
import { registerSettlementReportRoute } from './books/settlement-report.js'
import { registerStatementRoutes } from './books/statements.js'
import { registerTransferRoutes } from './books/transfers.js'
import { registerCashierSessionRoutes } from './cashier/sessions.js'
import type { ApiApp, ApiDependencies } from './context.js'
import { registerApprovalRoutes } from './controls/approvals.js'
import { registerPolicyRoutes } from './controls/policy.js'
import { registerPolicyChangeRoutes } from './controls/policy-changes.js'
import { registerSettlementRoutes } from './controls/settlement.js'
import { registerWhitelistRoutes } from './controls/whitelist.js'
import { registerAddressRoutes } from './deposits/addresses.js'
import { registerDepositRoutes } from './deposits/deposits.js'
import { registerEndpointPauseRoutes } from './events/endpoint-pauses.js'
import { registerEventRoutes } from './events/events.js'
import { registerWebhookConformanceRoutes } from './events/webhook-conformance.js'
import { registerWebhookDeliveryRoutes } from './events/webhook-deliveries.js'
import { registerWebhookEndpointRoutes } from './events/webhook-endpoints.js'
import { registerWebhookReplayRoutes } from './events/webhook-replays.js'
import { registerWebhookSecretRoutes } from './events/webhook-secrets.js'
import { registerWebhookStatsRoutes } from './events/webhook-stats.js'
import { registerWebhookTestRoutes } from './events/webhook-tests.js'
import { registerAuditLogRoutes } from './operations/audit-log.js'
import { registerMerchantRoutes } from './operations/merchants.js'
import { registerNetworkRoutes } from './operations/networks.js'
import { registerRescanRoutes } from './operations/rescans.js'
import { registerOperatorSettlementRoutes } from './operations/settlement.js'
import { registerPaymentRoutes } from './payments/payments.js'
import { registerBatchRoutes } from './payouts/batches.js'
import { registerMovementRoutes } from './payouts/movements.js'
import { registerPayoutRecoveryRoutes } from './payouts/payout-recovery.js'
import { registerWalletRoutes } from './payouts/wallets.js'
import { registerWithdrawalDecisionRoutes } from './payouts/withdrawal-decisions.js'
import { registerWithdrawalEstimateRoute } from './payouts/withdrawal-estimate.js'
import { registerWithdrawalRecoveryRoutes } from './payouts/withdrawal-recovery.js'
import { registerWithdrawalScheduleRoutes } from './payouts/withdrawal-schedules.js'
import { registerWithdrawalRoutes } from './payouts/withdrawals.js'

/** Registers the routes, whose paths are relative to `/api/v1`. */
export function registerRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  registerAddressRoutes(app, dependencies)
  registerApprovalRoutes(app, dependencies)
  registerAuditLogRoutes(app, dependencies)
  registerBalanceRoutes(app, dependencies)
  registerBalanceTotalsRoute(app, dependencies)
  registerBatchRoutes(app, dependencies)
  registerCashierSessionRoutes(app, dependencies)
  registerDepositRoutes(app, dependencies)
  registerEventRoutes(app, dependencies)
  registerExceptionRoutes(app, dependencies)
  registerExceptionDecisionRoutes(app, dependencies)
  registerExceptionResolutionRoute(app, dependencies)
  registerExceptionUploadRoute(app, dependencies)
  // Before the streams: `jobs` is no dataset.
  registerExportJobRoutes(app, dependencies)
  registerExportRoutes(app, dependencies)
  registerKeyRoutes(app, dependencies)
  registerMerchantRoutes(app, dependencies)
  registerMovementRoutes(app, dependencies)
  registerNetworkRoutes(app, dependencies)
  registerPaymentRoutes(app, dependencies)
  registerPeriodRoutes(app, dependencies)
  registerPolicyRoutes(app, dependencies)
  registerPolicyChangeRoutes(app, dependencies)
  registerOrderRoutes(app, dependencies)
  registerReconciliationRoutes(app, dependencies)
  registerRescanRoutes(app, dependencies)
  registerSettlementRoutes(app, dependencies)
  registerOperatorSettlementRoutes(app, dependencies)
  registerSettlementReportRoute(app, dependencies)
  registerStatementRoutes(app, dependencies)
  registerTransferRoutes(app, dependencies)
  registerWalletRoutes(app, dependencies)
  registerWebhookDeliveryRoutes(app, dependencies)
  registerWebhookEndpointRoutes(app, dependencies)
  registerWebhookSecretRoutes(app, dependencies)
  registerEndpointPauseRoutes(app, dependencies)
  registerWebhookTestRoutes(app, dependencies)
  registerWebhookReplayRoutes(app, dependencies)
  registerWebhookStatsRoutes(app, dependencies)
  registerWebhookConformanceRoutes(app, dependencies)
  registerWhitelistRoutes(app, dependencies)
  registerWithdrawalRoutes(app, dependencies)
  registerWithdrawalEstimateRoute(app, dependencies)
  registerWithdrawalDecisionRoutes(app, dependencies)
  registerWithdrawalRecoveryRoutes(app, dependencies)
  registerPayoutRecoveryRoutes(app, dependencies)
  registerWithdrawalScheduleRoutes(app, dependencies)
}
