/** Everything a process of the platform takes from its environment, parsed once; docs/configuration.md lists it. */

import { z } from 'zod'
import { parseDuration } from '../networks/parse-duration.js'
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

const schema = z.object({
  /** PostgreSQL, e.g. postgres://keyturn:…@127.0.0.1:5432/keyturn */
  KEYTURN_DATABASE_URL: z.string().min(1),
  KEYTURN_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  KEYTURN_TEMPORAL_NAMESPACE: z.string().default('default'),
  /** 32 bytes in hex: seals API secrets, webhook secrets and the platform's signing key at rest. */
  KEYTURN_MASTER_KEY: masterKey,
  /** Opens, and seals nothing yet: the next master key, while the processes learn it one after the other. */
  KEYTURN_NEXT_MASTER_KEY: z.preprocess((value) => value || undefined, masterKey.optional()),
  /** Earlier ones, the newest first: they open, and what is sealed under them is sealed again. */
  KEYTURN_PREVIOUS_MASTER_KEYS: list.pipe(z.array(masterKey)),
  KEYTURN_API_HOST: z.string().default('127.0.0.1'),
  KEYTURN_API_PORT: z.coerce.number().int().default(4000),
  /** Where `/metrics` is served to those who may reach that address; port 0 serves it nowhere but behind the token. */
  KEYTURN_METRICS_HOST: z.string().default('127.0.0.1'),
  KEYTURN_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).default(4001),
  /** Bearer token with which the API's own port serves `/metrics` too; none means that it does not. */
  KEYTURN_METRICS_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  /** CIDRs of proxies whose X-Forwarded-For counts. */
  KEYTURN_TRUSTED_PROXIES: list,
  /** Requests a minute and address that turn out not to be authenticated. */
  KEYTURN_ADDRESS_RATE: z.coerce.number().int().min(1).default(120),
  KEYTURN_BODY_LIMIT: z.coerce.number().int().default(1_048_576),
  /** How long a request waits for a lock in PostgreSQL, and how long one of its statements may run, before it is a 503. */
  KEYTURN_LOCK_TIMEOUT: duration('5s'),
  KEYTURN_STATEMENT_TIMEOUT: duration('10s'),
  /** Which task queues this worker process serves. */
  KEYTURN_WORKER_ROLES: z
    .string()
    .default('core,chain,webhooks,sealer')
    .transform((text) => text.split(',').map((each) => each.trim())),
  /** Path of the workflows' code made by `npm run build`; none means that it is made at the first start and kept. */
  KEYTURN_WORKFLOW_BUNDLE: z.string().optional(),
  KEYTURN_WEBHOOK_RETRY_INTERVAL: duration('5m'),
  KEYTURN_WEBHOOK_RETRY_WINDOW: duration('24h'),
  KEYTURN_WEBHOOK_TIMEOUT: duration('15s'),
  /** How many webhook endpoints a merchant may have; each event is a delivery to each of them. */
  KEYTURN_WEBHOOK_ENDPOINTS: z.coerce.number().int().min(1).default(50),
  /** CIDRs to which webhooks may go although they are not public (never set in production without a reason). */
  KEYTURN_WEBHOOK_ALLOW_CIDRS: list,
  /** Allows http:// endpoints on the addresses allowed above. */
  KEYTURN_WEBHOOK_ALLOW_HTTP: flag,
  /** How long a withdrawal waits for its approvals (and may then still be signed). */
  KEYTURN_WITHDRAWAL_EXPIRY: duration('24h'),
  /** How many address indexes are left out (and watched) when the database was started again after a silence. */
  KEYTURN_ADDRESS_GAP: z.coerce.number().int().min(0).max(10_000).default(100),
  /** How many recipients one transaction of a batch pays at most, on UTXO networks. */
  KEYTURN_BATCH_OUTPUTS: z.coerce.number().int().min(1).default(250),
  /** How long a change of policy or a whitelist entry waits for its approvals. */
  KEYTURN_CHANGE_EXPIRY: duration('7d'),
  /** How long what loosens the policy waits after its approval. */
  KEYTURN_POLICY_COOL_DOWN: duration('24h'),
  /** How long a new whitelist entry waits after its approval. */
  KEYTURN_WHITELIST_COOL_DOWN: duration('24h'),
  /** After an outage a schedule's firing that is later than this is left out. */
  KEYTURN_SCHEDULE_CATCH_UP: duration('1h'),
  KEYTURN_SIGNER_LEASE: duration('60s'),
  KEYTURN_SIGNER_OFFLINE_AFTER: duration('60s'),
  KEYTURN_SWEEP_INTERVAL: duration('1m'),
  KEYTURN_REBROADCAST_INTERVAL: duration('1m'),
  /** How long a nonce that was given back below others in flight waits for the next payment before it is filled. */
  KEYTURN_NONCE_GAP_AFTER: duration('10m'),
  KEYTURN_UNANSWERED_AFTER: duration('30m'),
  /** How often wallets are compared with their watermarks. */
  KEYTURN_TREASURY_INTERVAL: duration('1m'),
  KEYTURN_REQUEST_TIME_WINDOW: duration('300s'),
  KEYTURN_IDEMPOTENCY_WINDOW: duration('24h'),
  /** URL of a screening service for deposits; none means that no service is asked. */
  KEYTURN_SCREENING_URL: z.url().optional(),
  /** `whsec_…`: signs what is asked, as webhooks are signed. */
  KEYTURN_SCREENING_SECRET: z.string().startsWith('whsec_').optional(),
  KEYTURN_SCREENING_TIMEOUT: duration('15s'),
  /** CIDRs at which that service may be although they are not public; plain http is allowed there. */
  KEYTURN_SCREENING_ALLOW_CIDRS: list,
  /** Addresses whose deposits are set aside for a reviewer. */
  KEYTURN_HELD_SENDERS: list,
  /** URL of a screening service for the destinations of withdrawals; none means that nobody is asked. */
  KEYTURN_WITHDRAWAL_SCREENING_URL: z.url().optional(),
  /** `whsec_…`: signs what is asked, as webhooks are signed. */
  KEYTURN_WITHDRAWAL_SCREENING_SECRET: z.string().startsWith('whsec_').optional(),
  KEYTURN_WITHDRAWAL_SCREENING_TIMEOUT: duration('15s'),
  /** CIDRs at which that service may be although they are not public; plain http is allowed there. */
  KEYTURN_WITHDRAWAL_SCREENING_ALLOW_CIDRS: list,
  /** Destinations that are always held for review, one address a line. */
  KEYTURN_SANCTIONS_FILE: z.string().optional(),
  /** A MaxMind database (.mmdb) that says from which country a request came. */
  KEYTURN_GEOIP_FILE: z.string().optional(),
  /** Amounts that are large, e.g. `ethereum.usdt=10000,bitcoin.btc=1`: whole coins by network and coin. */
  KEYTURN_ALERT_LARGE: z.string().default('').transform(parseThresholds),
  /** So many failed withdrawals in a row of one merchant and coin. */
  KEYTURN_ALERT_FAILURES: z.coerce.number().int().min(2).max(100).default(3),
  /** A withdrawal is stuck after so many times its expected time. */
  KEYTURN_ALERT_STUCK_FACTOR: z.coerce.number().positive().default(3),
  /** The score of a risk factor from which a withdrawal is unusual. */
  KEYTURN_ALERT_UNUSUAL_SCORE: z.coerce.number().min(1).max(100).default(60),
  KEYTURN_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})

/** The parsed environment. */
export type Environment = z.infer<typeof schema>

/** Parses the environment. @throws Error that names each variable that is missing or wrong. */
export function loadEnvironment(
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  const parsed = schema.safeParse(variables)
  if (!parsed.success) throw new Error(`The environment is not usable:\n${z.prettifyError(parsed.error)}`)
  return parsed.data
}
