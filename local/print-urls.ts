/** Prints the table of URLs at the end of `npm start`. */

import { operatorLinks, operatorUrl } from '../temporal/operator-links.js'
import type { StackFile } from './stack/stack-file.js'

/**
 * Prints the URL of each part, and the filters of the Temporal UI.
 *
 * @param checkoutUrl - The checkout page of the payment that was walked. `null` if none was.
 */
export function printUrls(stack: StackFile, stackFile: string, checkoutUrl: string | null): void {
  const rows: (readonly [string, string])[] = [
    ['API', `${stack.api}/api/v1`],
    ['API documentation', `${stack.api}/docs`],
    ['The sample shop, with a pay button', stack.shop],
    ...(checkoutUrl === null ? [] : ([['Checkout page of the walk’s payment', checkoutUrl]] as const)),
    ['Temporal (every process)', stack.temporal.ui],
    ['Metrics', stack.metrics],
    ['Webhooks the sample merchant took', stack.webhook.received],
    ['Ethereum RPC', stack.networks.ethereum.rpc],
    ...rpcRow('Bitcoin RPC', stack.networks.bitcoin),
    ...rpcRow('Litecoin RPC', stack.networks.litecoin),
    ...rpcRow('Polygon RPC', stack.networks.polygon),
    ['Keys, secrets and process ids', stackFile],
    ['The signer’s log', stack.signer.log],
  ]
  console.log()
  printTable(rows)
  console.log('\n  In the Temporal UI, where webhooks bury the rest:')
  const { ui, namespace } = stack.temporal
  printTable(operatorLinks(new Date()).map(({ title, query }) => [title, operatorUrl(ui, namespace, query)]))
  console.log()
}

function printTable(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) console.log(`  ${name.padEnd(width)}  ${value}`)
}

/** Returns the row of a node, without its credentials. */
function rpcRow(name: string, node: { readonly rpc: string } | undefined): [string, string][] {
  return node ? [[name, node.rpc.replace(/\/\/.*@/, '//')]] : []
}
