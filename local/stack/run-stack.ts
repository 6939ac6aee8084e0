/** Runs a local stack: starts it in order, walks the main job, stays up, stops in order. */

import { readdirSync, rmSync } from 'node:fs'
import { createClient } from '../../client/create-client.js'
import { loadNetworks } from '../../networks/load-networks.js'
import { homeAt } from '../../signer/home/home.js'
import { requireSignerFile } from '../../signer/home/signer-file.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import type { Say } from '../parts/say.js'
import { startTemporal } from '../parts/temporal.js'
import { printUrls } from '../print-urls.js'
import { walk } from '../walk/walk.js'
import { bootstrap } from './bootstrap.js'
import { cleanUp } from './clean-up.js'
import { fundWallets } from './fund-wallets.js'
import { heldSender } from './held-sender.js'
import { type Home, writeJson } from './home.js'
import { localNetworks } from './local-networks.js'
import { platformEnvironment } from './platform-environment.js'
import { choosePorts } from './ports.js'
import type { StackFile } from './stack-file.js'
import {
  type BitcoinFacts,
  type EvmFacts,
  startBitcoinChain,
  startEthereum,
  startLitecoinChain,
  startPolygon,
} from './start-chains.js'
import { startApi, startSampleMerchant, startWorkers } from './start-platform.js'
import { startDatabase } from './start-postgres.js'
import { buildSigner, startSigner } from './start-signer.js'
import { startTogether } from './start-together.js'
import { openState } from './state.js'
import { createSupervisor } from './supervisor.js'

export interface RunOptions {
  readonly home: Home
  /** Whether the state of an earlier run is deleted first. */
  readonly fresh: boolean
  /** Whether the main job is walked. */
  readonly walk: boolean
  /** Whether the stack stays up until `stopping`. */
  readonly stay: boolean
  readonly stopping: AbortSignal
  readonly say: Say
}

/**
 * Runs the stack.
 *
 * @returns The exit code: 0, or 1 when a step of the walk failed.
 * @throws Error when it does not start.
 */
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
    const chosen = localNetworks(state, say)
    const chains = ['ethereum', ...chosen].join(', ')
    say(`Starting PostgreSQL, Temporal and the chains ${chains} (everything is kept in ${home.path})`)
    const started = await startTogether(say, {
      PostgreSQL: startDatabase(stack),
      Temporal: supervisor.keepPart('temporal', () =>
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
      Ethereum: startEthereum(stack),
      Polygon: chosen.has('polygon') ? startPolygon(stack) : null,
      Bitcoin: chosen.has('bitcoin') ? startBitcoinChain(stack) : null,
      Litecoin: chosen.has('litecoin') ? startLitecoinChain(stack) : null,
      // All workers share the bundle. It is kept until the workflows change.
      'workflow bundle': loadWorkflowBundle(),
      'signer’s executable': buildSigner(home),
    })
    const { PostgreSQL: databaseUrl, Temporal: temporal, 'workflow bundle': workflowBundle } = started
    const { 'signer’s executable': executable } = started
    const { Ethereum: ethereum, Polygon: polygon, Bitcoin: bitcoin, Litecoin: litecoin } = started
    const environment = platformEnvironment({
      ports,
      state,
      databaseUrl,
      temporalAddress: temporal.address,
      ethereum,
      polygon,
      bitcoin,
      litecoin,
      workflowBundle,
    })
    const networks = await loadNetworks(environment.KEYTURN_NETWORKS_FILE, environment)
    if (!networks.has('bitcoin-cash'))
      say('Left out: bitcoin-cash (no node of it comes with this stack; BITCOIN_CASH_ENABLED takes your own)')
    const { merchant, otherMerchant, approvers, operatorKey } = await bootstrap(
      home,
      state,
      databaseUrl,
      networks,
    )
    say('Starting API, workers, sample merchant and the customer’s signer')
    const running = { ...stack, environment, temporalAddress: temporal.address }
    const api = `http://127.0.0.1:${ports.api}`
    const client = createClient({
      baseUrl: api,
      apiKey: merchant.api_key,
      apiSecret: merchant.api_secret,
    })
    const answering = startApi(running)
    // The endpoint comes before the signers, so that it receives every event from the start.
    const receiving = answering.then(() =>
      startSampleMerchant(running, client, { merchant, ethereum, bitcoin }),
    )
    const people = { merchant, otherMerchant, approvers, operatorKey }
    const { 'sample merchant': sampleMerchant, signers: signer } = await startTogether(say, {
      API: answering,
      workers: startWorkers(running),
      'sample merchant': receiving,
      signers: receiving.then(() => startSigner(running, executable, people)),
    })
    const { shop, ...webhook } = sampleMerchant
    say('Funding the merchant’s wallets')
    await fundWallets(home, state, client, { evm: { ethereum, polygon }, utxo: { bitcoin, litecoin } })
    return {
      ready: true,
      api,
      console: `${api}/console`,
      temporal: { address: temporal.address, namespace: 'default', ui: temporal.ui ?? '' },
      postgres: databaseUrl,
      metrics: `http://127.0.0.1:${ports.metrics}/metrics`,
      networks: {
        ethereum: {
          ...evmEntry(ethereum),
          tokens: { usdt: { address: ethereum.token, decimals: 6 } },
          held_sender: heldSender(state),
        },
        ...(bitcoin ? { bitcoin: utxoEntry(bitcoin) } : {}),
        ...(litecoin ? { litecoin: utxoEntry(litecoin) } : {}),
        ...(polygon
          ? {
              polygon: {
                ...evmEntry(polygon),
                tokens: { usdc: { address: polygon.token, decimals: 6 } },
              },
            }
          : {}),
      },
      merchant,
      other_merchant: otherMerchant,
      approvers: [...approvers],
      operator: { ...state.operator, ...operatorKey },
      webhook,
      shop,
      signer,
      pids: pidsOf(supervisor.pids()),
    }
  }

  let code = 0
  try {
    const started = start()
    const stack = await Promise.race([started, interrupted])
    if (stack !== 'stop') {
      let checkoutUrl: string | null = null
      if (options.walk) {
        const walked = await Promise.race([
          walk(stack, requireSignerFile(homeAt(stack.signer.home)).xpubs, say),
          interrupted,
        ])
        if (walked !== 'stop') {
          checkoutUrl = walked.checkoutUrl
          if (!walked.succeeded) code = 1
        }
      }
      if (!stopping.aborted) {
        published = stack
        publish()
        printUrls(stack, home.stackFile, checkoutUrl)
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
  const { api, signer, temporal, postgres, bitcoin, litecoin, polygon, merchant } = pids
  const all = {
    api,
    signer,
    other_signer: pids['other-signer'],
    temporal,
    postgres,
    ethereum: pids.anvil,
    bitcoin,
    litecoin,
    polygon,
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

function evmEntry({ rpc, chainId, faucetPrivateKey }: EvmFacts) {
  return { rpc, chain_id: chainId, faucet_private_key: faucetPrivateKey }
}

function utxoEntry<Flavour extends string>({ rpc, flavour, faucet }: BitcoinFacts<Flavour>) {
  return { rpc, flavour, faucet_wif: faucet.wif, faucet_address: faucet.address }
}
