/** Parses the environment of a platform process. `docs/configuration.md` documents each variable. */

import { z } from 'zod'
import { parseDuration } from '../networks/parse-duration.js'
import { parseDueTimes } from './parse-due-times.js'
import { parseThresholds } from './parse-thresholds.js'

const duration = (fallback: string) => z.string().default(fallback).transform(parseDuration)
const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true')
const masterKey = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')
const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((each) => each.trim())
      .filter(Boolean),
  )
/** Ports, separated by commas. */
const ports = (fallback: string) =>
  z
    .string()
    .regex(/^\s*\d{1,5}\s*(,\s*\d{1,5}\s*)*$/, 'must be ports, separated by commas')
    .default(fallback)
    .transform((text) => text.split(',').map(Number))
    .refine((all) => all.every((port) => port >= 1 && port <= 65_535), 'must be ports from 1 to 65535')

const schema = z.object({
  /** URL of PostgreSQL, e.g. `postgres://keyturn:…@127.0.0.1:5432/keyturn`. */
  KEYTURN_DATABASE_URL: z.string().min(1),
  KEYTURN_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  KEYTURN_TEMPORAL_NAMESPACE: z.string().default('default'),
  /**
   * Master key, 32 bytes in hex. It seals API secrets, webhook secrets and the platform's signing key at
   * rest.
   */
  KEYTURN_MASTER_KEY: masterKey,
  /**
   * Next master key. It opens secrets but seals none yet, so that the processes can learn it one after the
   * other.
   */
  KEYTURN_NEXT_MASTER_KEY: z.preprocess((value) => value || undefined, masterKey.optional()),
  /** Earlier master keys, newest first. They open secrets, and secrets sealed under them are sealed again. */
  KEYTURN_PREVIOUS_MASTER_KEYS: list.pipe(z.array(masterKey)),
  /**
   * Base of the links that payers and users get, such as `https://pay.example.com`. Default: the API's own
   * address.
   */
  KEYTURN_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
  KEYTURN_API_HOST: z.string().default('127.0.0.1'),
  KEYTURN_API_PORT: z.coerce.number().int().default(4000),
  /**
   * Address that serves `/metrics` without a token. With port 0, only the API's port serves it, with the
   * token.
   */
  KEYTURN_METRICS_HOST: z.string().default('127.0.0.1'),
  KEYTURN_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).default(4001),
  /**
   * Bearer token with which the API's own port serves `/metrics`. Without it that port does not serve them.
   */
  KEYTURN_METRICS_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  /** CIDRs of proxies whose `X-Forwarded-For` is trusted. */
  KEYTURN_TRUSTED_PROXIES: list,
  /** Unauthenticated requests allowed a minute for each address. */
  KEYTURN_ADDRESS_RATE: z.coerce.number().int().min(1).default(120),
  /** Pages for payers that one address may load a minute. */
  KEYTURN_PAGE_RATE: z.coerce.number().int().min(1).default(300),
  /** Pages that one process keeps live at the same time, in all and for one address. */
  KEYTURN_LIVE_PAGES: z.coerce.number().int().min(0).default(10_000),
  KEYTURN_LIVE_PAGES_PER_ADDRESS: z.coerce.number().int().min(0).default(1_000),
  KEYTURN_BODY_LIMIT: z.coerce.number().int().default(1_048_576),
  /** Most bytes of an uploaded file. It is kept on the disk while the request lasts. */
  KEYTURN_UPLOAD_LIMIT: z.coerce.number().int().min(1).default(268_435_456),
  /**
   * Time that a request waits for a lock in PostgreSQL, and that a statement may run, before the answer is
   * 503.
   */
  KEYTURN_LOCK_TIMEOUT: duration('5s'),
  KEYTURN_STATEMENT_TIMEOUT: duration('10s'),
  /** Roles of this worker process: the task queues that it serves, and the sealer. */
  KEYTURN_WORKER_ROLES: z
    .string()
    .default('core,chain,webhooks,exports,sealer')
    .transform((text) => text.split(',').map((each) => each.trim())),
  /**
   * Path of the workflow bundle made by `npm run build`. Without it the first start builds one and caches it.
   */
  KEYTURN_WORKFLOW_BUNDLE: z.string().optional(),
  KEYTURN_WEBHOOK_RETRY_INTERVAL: duration('5m'),
  KEYTURN_WEBHOOK_RETRY_WINDOW: duration('24h'),
  KEYTURN_WEBHOOK_TIMEOUT: duration('15s'),
  /** Webhook endpoints that a merchant may have. Each event is delivered to each of them. */
  KEYTURN_WEBHOOK_ENDPOINTS: z.coerce.number().int().min(1).default(50),
  /**
   * CIDRs that webhooks may reach although they are not public. Do not set it in production without a reason.
   */
  KEYTURN_WEBHOOK_ALLOW_CIDRS: list,
  /** Whether `http://` endpoints are allowed in those CIDRs. */
  KEYTURN_WEBHOOK_ALLOW_HTTP: flag,
  /** CIDRs that webhooks never reach, although they are public or allowed. */
  KEYTURN_WEBHOOK_DENY_CIDRS: list,
  /** Ports of webhook endpoints outside of the allowed CIDRs. */
  KEYTURN_WEBHOOK_PORTS: ports('443,8443'),
  /** Time that a withdrawal waits for its approvals, and after which it may no longer be signed. */
  KEYTURN_WITHDRAWAL_EXPIRY: duration('24h'),
  /** Address indexes that are skipped (and watched) when the database restarts after a silence. */
  KEYTURN_ADDRESS_GAP: z.coerce.number().int().min(0).max(10_000).default(100),
  /** Most recipients that one transaction of a batch pays on UTXO networks. */
  KEYTURN_BATCH_OUTPUTS: z.coerce.number().int().min(1).default(250),
  /** Time that a policy change or a whitelist entry waits for its approvals. */
  KEYTURN_CHANGE_EXPIRY: duration('7d'),
  /** Whether a month that has not ended may be closed: then its window ends at the close. For tests of a close. */
  KEYTURN_PERIOD_CLOSE_EARLY: flag,
  KEYTURN_OPERATOR_APPROVALS: z.coerce.number().int().min(1).max(2).default(2),
  /** Time between the approval of a change that loosens the policy and its effect. */
  KEYTURN_POLICY_COOL_DOWN: duration('24h'),
  /** Time between the approval of a new whitelist entry and its effect. */
  KEYTURN_WHITELIST_COOL_DOWN: duration('24h'),
  /** Lateness above which a schedule's firing is skipped after an outage. */
  KEYTURN_SCHEDULE_CATCH_UP: duration('1h'),
  KEYTURN_SIGNER_LEASE: duration('60s'),
  KEYTURN_SIGNER_OFFLINE_AFTER: duration('60s'),
  KEYTURN_SWEEP_INTERVAL: duration('1m'),
  KEYTURN_REBROADCAST_INTERVAL: duration('1m'),
  /** Time that a released nonce below others in flight waits for the next payout before it is filled. */
  KEYTURN_NONCE_GAP_AFTER: duration('10m'),
  KEYTURN_UNANSWERED_AFTER: duration('30m'),
  /** Interval at which wallets are compared with their watermarks. */
  KEYTURN_TREASURY_INTERVAL: duration('1m'),
  KEYTURN_REQUEST_TIME_WINDOW: duration('300s'),
  KEYTURN_IDEMPOTENCY_WINDOW: duration('24h'),
  /** URL of the screening service for deposits. Without it no service is asked. */
  KEYTURN_SCREENING_URL: z.url().optional(),
  /** Secret (`whsec_…`) that signs the questions in the way that webhooks are signed. */
  KEYTURN_SCREENING_SECRET: z.string().startsWith('whsec_').optional(),
  KEYTURN_SCREENING_TIMEOUT: duration('15s'),
  /** CIDRs where that service may be although they are not public. Plain http is allowed there. */
  KEYTURN_SCREENING_ALLOW_CIDRS: list,
  /** Senders whose deposits are held for a reviewer. */
  KEYTURN_HELD_SENDERS: list,
  /** URL of the screening service for the destinations of withdrawals. Without it no service is asked. */
  KEYTURN_WITHDRAWAL_SCREENING_URL: z.url().optional(),
  /** Secret (`whsec_…`) that signs the questions in the way that webhooks are signed. */
  KEYTURN_WITHDRAWAL_SCREENING_SECRET: z.string().startsWith('whsec_').optional(),
  KEYTURN_WITHDRAWAL_SCREENING_TIMEOUT: duration('15s'),
  /** CIDRs where that service may be although they are not public. Plain http is allowed there. */
  KEYTURN_WITHDRAWAL_SCREENING_ALLOW_CIDRS: list,
  /** File of destinations that are always held for review, one address a line. */
  KEYTURN_SANCTIONS_FILE: z.string().optional(),
  /** MaxMind database (`.mmdb`) that maps the address of a request to a country. */
  KEYTURN_GEOIP_FILE: z.string().optional(),
  /** Amounts from which a payout is large, in whole coins, e.g. `ethereum.usdt=10000,bitcoin.btc=1`. */
  KEYTURN_ALERT_LARGE: z.string().default('').transform(parseThresholds),
  /** Number of consecutive failed withdrawals of one merchant and coin that raises an alert. */
  KEYTURN_ALERT_FAILURES: z.coerce.number().int().min(2).max(100).default(3),
  /** Multiple of the expected time after which a withdrawal is stuck. */
  KEYTURN_ALERT_STUCK_FACTOR: z.coerce.number().positive().default(3),
  /** Score of a risk factor from which a withdrawal is unusual. */
  KEYTURN_ALERT_UNUSUAL_SCORE: z.coerce.number().min(1).max(100).default(60),
  /** Due times of exceptions by kind, where they differ from the defaults, e.g. `stuck=2h,late=3d`. */
  KEYTURN_EXCEPTION_DUE: z.string().default('').transform(parseDueTimes),
  /** Time that one streamed export may take. A longer one needs a job. */
  KEYTURN_EXPORT_DEADLINE: duration('15m'),
  /** Time that the reader of a streamed export, or of a file, may take nothing before it is cut. */
  KEYTURN_EXPORT_STALL: duration('30s'),
  /** Streamed exports of one merchant at the same time. */
  KEYTURN_EXPORT_STREAMS: z.coerce.number().int().min(1).max(100).default(2),
  /** Export jobs of one merchant that may be queued or running at the same time. */
  KEYTURN_EXPORT_JOBS: z.coerce.number().int().min(1).default(5),
  /** Time for which the file of a job is kept. */
  KEYTURN_EXPORT_RETENTION: duration('7d'),
  KEYTURN_RECONCILIATION_RETENTION: duration('400d'),
  /** Bytes, compressed, that the files of one merchant may take. */
  KEYTURN_EXPORT_STORAGE: z.coerce.number().int().min(0).default(5_000_000_000),
  /** Bytes, compressed, that the files of all merchants together may take. */
  KEYTURN_EXPORT_STORAGE_TOTAL: z.coerce.number().int().min(0).default(20_000_000_000),
  /** Time for which a link to a file works. */
  KEYTURN_EXPORT_LINK: duration('15m'),
  /** Interval at which the books of each merchant are reconciled. 0 switches that off. */
  KEYTURN_RECONCILIATION_INTERVAL: duration('24h'),
  /** Reconciliations of one merchant that may be open at the same time. */
  KEYTURN_RECONCILIATION_RUNS: z.coerce.number().int().min(1).default(5),
  KEYTURN_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})

/** Parsed environment. */
export type Environment = z.infer<typeof schema>

/** Parses the environment. @throws Error that names each missing or invalid variable. */
export function loadEnvironment(
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  const parsed = schema.safeParse(variables)
  if (!parsed.success) throw new Error(`The environment is not valid:\n${z.prettifyError(parsed.error)}`)
  return parsed.data
}
