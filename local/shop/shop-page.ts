/** Renders the page of the sample shop: a "pay" button for each coin, and the orders so far. */

import { html } from 'hono/html'
import type { Order } from './orders.js'

/** What the shop sells, and its price in each coin. */
export interface Offer {
  readonly network: string
  readonly coin: string
  readonly amount: string
}

/** Style sheet of the page. The page has no scripts and nothing inline. */
export const SHOP_CSS = `
:root { color-scheme: light dark; font: 1.05rem/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 44rem; padding: 1.5rem }
button { font: inherit; min-height: 2.75rem; padding: 0 1.25rem; border: 1px solid; border-radius: 0.5rem; cursor: pointer }
form { display: inline-block; margin: 0 0.5rem 0.5rem 0 }
li { margin-block: 1rem }
strong { margin-inline: 0.25rem }
`

/** Renders the page. @param orderId - Id of the order that a press of a button places. */
export function renderShop(orderId: string, offers: readonly Offer[], orders: readonly Order[]) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sample shop</title>
<link rel="stylesheet" href="/shop.css">
</head>
<body>
<main>
<h1>Sample shop</h1>
<p>A backend of a merchant on this machine. One cup of coffee costs:</p>
${offers.map(
  ({ network, coin, amount }) => html`<form method="post" action="/pay">
<input type="hidden" name="order_id" value="${orderId}">
<input type="hidden" name="coin" value="${coin}">
<button>Pay ${amount} ${coin.toUpperCase()} on ${network}</button>
</form>`,
)}
<h2>Orders</h2>
${
  orders.length === 0
    ? html`<p>There are none yet.</p>`
    : html`<p>Each status is what the last verified webhook said. Load the page again to see later ones.</p>
<ul>${orders.map(renderOrder)}</ul>`
}
</main>
</body>
</html>`
}

function renderOrder(order: Order) {
  const { payment_id, order_id, status, network, coin, amount, checkout_url } = order
  return html`<li>${order_id}: ${amount} ${coin.toUpperCase()} on ${network}: <strong>${status}</strong>
<a href="${checkout_url}">Open the checkout page</a> <code>${payment_id}</code>
${
  status === 'pending' &&
  html`<form method="post" action="/test-coins">
<input type="hidden" name="payment_id" value="${payment_id}">
<button>Pay with test coins</button>
</form>`
}</li>`
}
