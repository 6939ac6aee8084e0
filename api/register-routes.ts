/** Every resource under `/api/v1`: a route file exports `registerXRoutes(app, dependencies)` and has its line here. */

import type { ApiApp, ApiDependencies } from './context.js'
import { registerAddressRoutes } from './routes/addresses.js'
import { registerApprovalRoutes } from './routes/approvals.js'
import { registerAuditLogRoutes } from './routes/audit-log.js'
import { registerBalanceRoutes } from './routes/balances.js'
import { registerBatchRoutes } from './routes/batches.js'
import { registerDepositRoutes } from './routes/deposits.js'
import { registerEventRoutes } from './routes/events.js'
import { registerMovementRoutes } from './routes/movements.js'
import { registerNetworkRoutes } from './routes/networks.js'
import { registerPaymentRecoveryRoutes } from './routes/payment-recovery.js'
import { registerPolicyRoutes } from './routes/policy.js'
import { registerWalletRoutes } from './routes/wallets.js'
import { registerWebhookDeliveryRoutes } from './routes/webhook-deliveries.js'
import { registerWebhookEndpointRoutes } from './routes/webhook-endpoints.js'
import { registerWhitelistRoutes } from './routes/whitelist.js'
import { registerWithdrawalDecisionRoutes } from './routes/withdrawal-decisions.js'
import { registerWithdrawalEstimateRoute } from './routes/withdrawal-estimate.js'
import { registerWithdrawalRecoveryRoutes } from './routes/withdrawal-recovery.js'
import { registerWithdrawalScheduleRoutes } from './routes/withdrawal-schedules.js'
import { registerWithdrawalRoutes } from './routes/withdrawals.js'

/** Registers the routes; paths are relative to `/api/v1`. */
export function registerRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  registerAddressRoutes(app, dependencies)
  registerApprovalRoutes(app, dependencies)
  registerAuditLogRoutes(app, dependencies)
  registerBalanceRoutes(app, dependencies)
  registerBatchRoutes(app, dependencies)
  registerDepositRoutes(app, dependencies)
  registerEventRoutes(app, dependencies)
  registerMovementRoutes(app, dependencies)
  registerNetworkRoutes(app, dependencies)
  registerPolicyRoutes(app, dependencies)
  registerWalletRoutes(app, dependencies)
  registerWebhookDeliveryRoutes(app, dependencies)
  registerWebhookEndpointRoutes(app, dependencies)
  registerWhitelistRoutes(app, dependencies)
  registerWithdrawalRoutes(app, dependencies)
  registerWithdrawalEstimateRoute(app, dependencies)
  registerWithdrawalDecisionRoutes(app, dependencies)
  registerWithdrawalRecoveryRoutes(app, dependencies)
  registerPaymentRecoveryRoutes(app, dependencies)
  registerWithdrawalScheduleRoutes(app, dependencies)
}
