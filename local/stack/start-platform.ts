/** Starts the platform's processes, API and workers, and a merchant's backend that receives its webhooks. */

import { Connection } from '@temporalio/client'
import type { Client } from '../../client/create-client.js'
import { TASK_QUEUE, type TaskQueue } from '../../temporal/task-queues.js'
import { bundleProgram } from '../bundle-program.js'
import type { RunningProcess } from '../parts/start-process.js'
import type { Home } from './home.js'
import type { Ports } from './ports.js'
import type { StackFile } from './stack-file.js'
import type { BitcoinFacts, EvmFacts } from './start-chains.js'
import { answers, startNode } from './start-node.js'
import { type StackState, saveState } from './state.js'
import type { Supervisor } from './supervisor.js'

/** What every process of the platform needs for its start. */
export interface Running {
  readonly home: Home
  readonly ports: Ports
  readonly state: StackState
  readonly supervisor: Supervisor
  readonly environment: Readonly<Record<string, string>>
  readonly temporalAddress: string
}

/**
 * Roles of the two workers. One follows chains, calls third parties and writes exports; the other moves deposits and payouts
 * on.
 */
const WORKERS: readonly { readonly name: string; readonly roles: string; readonly queues: TaskQueue[] }[] = [
  { name: 'worker-core', roles: 'core', queues: [TASK_QUEUE.core] },
  {
    name: 'worker-edge',
    roles: 'chain,webhooks,exports,sealer',
    queues: [
      TASK_QUEUE.chain,
      TASK_QUEUE.webhooks,
      TASK_QUEUE.exports,
      TASK_QUEUE.reconciliation,
      TASK_QUEUE.comparisons,
    ],
  },
]
/** `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const ACTIVITY = 2

/** Starts the API. */
export async function startApi({ home, ports, supervisor, environment }: Running): Promise<void> {
  await supervisor.keep('api', async () =>
    startNode(home, {
      name: 'api',
      file: await bundleProgram('api/main.ts'),
      environment,
      ready: () => answers(`http://127.0.0.1:${ports.api}/healthz`),
    }),
  )
}

/** Starts the workers, and waits until each polls its queues. */
export async function startWorkers(running: Running): Promise<void> {
  const { home, supervisor, environment, temporalAddress } = running
  await Promise.all(
    WORKERS.map(({ name, roles, queues }) =>
      supervisor.keep(name, async () =>
        startNode(home, {
          name,
          file: await bundleProgram('workers/main.ts'),
          environment: { ...environment, KEYTURN_WORKER_ROLES: roles },
          ready: (process) => polls(temporalAddress, process, queues),
        }),
      ),
    ),
  )
}

/** What the shop of the sample merchant needs: its key, and chains whose test coins it can pay. */
export interface ShopFacts {
  readonly merchant: { readonly api_key: string; readonly api_secret: string }
  readonly ethereum: Pick<EvmFacts, 'rpc'>
  readonly bitcoin: Pick<BitcoinFacts, 'rpc' | 'faucet'> | null
}

/** Registers the endpoint, whose secret is shown once, and starts the merchant's backend behind it. */
export async function startSampleMerchant(
  { home, ports, state, supervisor, environment }: Running,
  client: Client,
  { merchant, ethereum, bitcoin }: ShopFacts,
): Promise<StackFile['webhook'] & Pick<StackFile, 'shop'>> {
  const origin = `http://127.0.0.1:${ports.merchant}`
  const url = `${origin}/webhooks`
  if (!state.webhook) {
    const created = await client.webhookEndpoints.create({ url })
    state.webhook = { endpoint_id: created.id, secret: created.secret, url }
    saveState(home, state)
  } else if (state.webhook.url !== url) {
    await client.webhookEndpoints.update(state.webhook.endpoint_id, { url })
    state.webhook.url = url
    saveState(home, state)
  }
  const { endpoint_id, secret } = state.webhook
  await supervisor.keep('merchant', async () =>
    startNode(home, {
      name: 'merchant',
      file: await bundleProgram('local/sample-merchant.ts'),
      environment: {
        SAMPLE_MERCHANT_PORT: String(ports.merchant),
        SAMPLE_MERCHANT_SECRET: secret,
        SAMPLE_MERCHANT_FILE: home.file('received.ndjson'),
        SAMPLE_MERCHANT_API: environment.KEYTURN_PUBLIC_URL,
        SAMPLE_MERCHANT_API_KEY: merchant.api_key,
        SAMPLE_MERCHANT_API_SECRET: merchant.api_secret,
        SAMPLE_MERCHANT_ETHEREUM_RPC: ethereum.rpc,
        ...(bitcoin
          ? {
              SAMPLE_MERCHANT_BITCOIN_RPC: bitcoin.rpc,
              SAMPLE_MERCHANT_BITCOIN_WIF: bitcoin.faucet.wif,
            }
          : {}),
      },
      ready: () => answers(`${origin}/healthz`),
    }),
  )
  return { endpoint_id, secret, received: `${origin}/received`, shop: `${origin}/` }
}

async function polls(address: string, process: RunningProcess, queues: readonly TaskQueue[]): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: '2s' })
  try {
    for (const queue of queues) {
      const { pollers } = await connection.workflowService.describeTaskQueue({
        namespace: 'default',
        taskQueue: { name: queue },
        taskQueueType: ACTIVITY,
      })
      // A worker's identity begins with its process id. The server lists pollers of earlier processes for a
      // while.
      if (!pollers?.some((poller) => poller.identity?.startsWith(`${process.pid}@`)))
        throw new Error(`${queue} is not polled yet`)
    }
  } finally {
    await connection.close()
  }
}
