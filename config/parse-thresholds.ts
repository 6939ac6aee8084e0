/** One amount in whole coins, of a network's coin. */
export interface Threshold {
  readonly network: string
  readonly coin: string
  readonly amount: string
}

/** Parses `ethereum.usdt=10000,bitcoin.btc=1`. @throws Error that shows the form. */
export function parseThresholds(text: string): Threshold[] {
  const items = text.split(',').map((item) => item.trim())
  return items.filter(Boolean).map((item) => {
    const [, network, coin, amount] = /^([a-z0-9-]+)\.([a-z0-9-]+)=(\d+(?:\.\d+)?)$/.exec(item) ?? []
    if (network === undefined || coin === undefined || amount === undefined) {
      throw new Error(`"${item}" is not a threshold; write for example ethereum.usdt=10000`)
    }
    return { network, coin, amount }
  })
}
