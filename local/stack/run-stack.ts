/** The life of a local stack: start in order, walk, stay, stop in order. */

import { readdirSync, rmSync } from 'node:fs'
import { createClient } from '../../client/create-client.js'
import { loadNetworks } from '../../config/load-networks.js'
import { homeAt } from '../../signer/home/home.js'
import { requireSignerFile } from '../../signer/home/signer-file.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import type { Say } from '../parts/find-executable.js'
import { startTemporal } from '../parts/temporal.js'
import { printUrls, walk } from '../walk.js'
import { bootstrap } from './bootstrap.js'
import { cleanUp } from './clean-up.js'
import { fundWallets } from './fund-wallets.js'
import { type Home, writeJson } from './home.js'
import { platformEnvironment } from './platform-environment.js'
import { choosePorts } from './ports.js'
import type { StackFile } from './stack-file.js'
import { startBitcoinChain, startEthereum } from './start-chains.js'
import { startApi, startSampleMerchant, startWorkers } from './start-platform.js'
import { startDatabase } from './start-postgres.js'
import { startSigner } from './start-signer.js'
import { openState } from './state.js'
import { createSupervisor } from './supervisor.js'

export interface RunOptions {
  readonly home: Home
  /** Throw away what an earlier run kept. */
  readonly fresh: boolean
  /** Walk the main job. */
  readonly walk: boolean
  /** Stay up until `stopping`. */
  readonly stay: boolean
  readonly stopping: AbortSignal
  readonly say: Say
}

/** @returns The exit code: 0, or 1 when a step of the walk failed. @throws Error when the stack does not start. */
export async function runStack(options: RunOptions): Promise<number> {
  const { home, stopping, say } = options
  await cleanUp(home, say)
  if (options.fresh) for (const name of readdirSync(home.path)) rmSync(home.file(name), { recursive: true })
  rmSync(home.stackFile, { force: true })
  const state = openState(home)
  let published: StackFile | undefined
  const publish = () => {
    if (!published) return
    published = { ...published, pids: pidsOf(supervisor.pids()) }
    writeJson(home.stackFile, published)
  }
  const supervisor = createSupervisor(home, say, publish)
  const beforeStop: (() => Promise<void> | void)[] = []
  const interrupted = new Promise<'stop'>((resolve) => {
    if (stopping.aborted) resolve('stop')
    stopping.addEventListener('abort', () => resolve('stop'), { once: true })
  })

  async function start(): Promise<StackFile> {
    const ports = await choosePorts(say)
    const stack = { home, ports, state, supervisor, say, beforeStop }
    say(`Starting PostgreSQL, Temporal, an Ethereum and a Bitcoin chain (everything is kept in ${home.path})`)
    const [databaseUrl, temporal, ethereum, bitcoin, workflowBundle] = await allOrFirstError([
      startDatabase(stack),
      supervisor.keep('temporal', () =>
        startTemporal(
          {
            port: ports.temporal,
            uiPort: ports.temporalUi,
            metricsPort: ports.temporalMetrics,
            databaseFile: home.file('temporal.sqlite'),
            logFile: home.log('temporal'),
          },
          say,
        ),
      ),
      startEthereum(stack),
      startBitcoinChain(stack),
      // Once for all workers; kept until the workflows change.
      loadWorkflowBundle(),
    ])
    const environment = platformEnvironment({
      ports,
      state,
      databaseUrl,
      temporalAddress: temporal.address,
      ethereum,
      bitcoin,
      workflowBundle,
    })
    const networks = await loadNetworks(environment.KEYTURN_NETWORKS_FILE, environment)
    const { merchant, otherMerchant, approvers } = await bootstrap(home, state, databaseUrl, networks)
    say('Starting API, workers, sample merchant and the customer’s signer')
    const running = { ...stack, environment, temporalAddress: temporal.address }
    const api = `http://127.0.0.1:${ports.api}`
    const client = createClient({
      baseUrl: api,
      apiKey: merchant.api_key,
      apiSecret: merchant.api_secret,
    })
    const [, { webhook, signer }] = await allOrFirstError([
      startWorkers(running),
      startApi(running).then(async () => ({
        // The endpoint first: it is told of everything from the start.
        webhook: await startSampleMerchant(running, client),
        signer: await startSigner(running, { merchant, otherMerchant, approvers }),
      })),
    ])
    say('Funding the merchant’s wallets')
    await fundWallets(home, state, client, ethereum, bitcoin)
    return {
      ready: true,
      api,
      console: `${api}/console`,
      temporal: { address: temporal.address, namespace: 'default', ui: temporal.ui ?? '' },
      postgres: databaseUrl,
      metrics: `${api}/metrics`,
      networks: {
        ethereum: {
          rpc: ethereum.rpc,
          chain_id: ethereum.chainId,
          faucet_private_key: ethereum.faucetPrivateKey,
          tokens: { usdt: { address: ethereum.usdt, decimals: 6 } },
        },
        ...(bitcoin
          ? {
              bitcoin: {
                rpc: bitcoin.rpc,
                flavour: bitcoin.flavour,
                faucet_wif: bitcoin.faucet.wif,
                faucet_address: bitcoin.faucet.address,
              },
            }
          : {}),
      },
      merchant,
      other_merchant: otherMerchant,
      approvers: [...approvers],
      operator: state.operator,
      webhook,
      signer,
      pids: pidsOf(supervisor.pids()),
    }
  }

  let code = 0
  try {
    const started = start()
    const stack = await Promise.race([started, interrupted])
    if (stack !== 'stop') {
      if (options.walk) {
        const walked = await Promise.race([
          walk(stack, requireSignerFile(homeAt(stack.signer.home)).xpubs, say),
          interrupted,
        ])
        if (walked === false) code = 1
      }
      if (!stopping.aborted) {
        published = stack
        publish()
        printUrls(stack, home.stackFile)
      }
      if (options.stay && !stopping.aborted) {
        say('Ready. Ctrl-C stops everything.')
        await interrupted
      }
    } else started.catch(() => {})
  } finally {
    say('Stopping')
    if (published) {
      published = { ...published, ready: false }
      publish()
    }
    for (const stop of beforeStop) await stop()
    await supervisor.stop()
    rmSync(home.processesFile, { force: true })
    say('Stopped')
  }
  return code
}

function pidsOf(pids: Readonly<Record<string, number>>): StackFile['pids'] {
  const { api, signer, temporal, postgres, bitcoin, merchant } = pids
  const all = {
    api,
    signer,
    other_signer: pids['other-signer'],
    temporal,
    postgres,
    ethereum: pids.anvil,
    bitcoin,
    merchant,
  }
  return {
    supervisor: process.pid,
    ...(Object.fromEntries(Object.entries(all).filter(([, pid]) => pid !== undefined)) as Partial<
      typeof all
    >),
    workers: Object.entries(pids).flatMap(([name, pid]) => (name.startsWith('worker') ? [pid] : [])),
  }
}

/** As Promise.all, but waits until all have settled: nothing starts behind the back of whoever cleans up. */
async function allOrFirstError<T extends readonly unknown[]>(
  promises: {
    [K in keyof T]: Promise<T[K]>
  },
): Promise<T> {
  const settled = await Promise.allSettled(promises)
  for (const each of settled) if (each.status === 'rejected') throw each.reason
  return settled.map((each) => (each as PromiseFulfilledResult<unknown>).value) as unknown as T
}
