const body = msg.payload;
const crypto = global.get('crypto');
const expected = Buffer.from(crypto.createHmac('sha256', global.get('secret')).update(body).digest('base64'));
const given = Buffer.from(msg.req.headers['x-shopify-hmac-sha256'] || '');
if (expected.length !== given.length || !crypto.timingSafeEqual(expected, given)) {
  msg.statusCode = 401;
  msg.payload = '';
  return [msg, null];
}
const order = JSON.parse(body.toString('utf8'));
const escape = text => String(text == null ? '' : text).replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
const address = a => [a.name, a.address1, a.zip + ' ' + a.city, a.country].map(escape).join('<br>');
const lines = order.line_items.map(line => `<tr><td style="padding:8px 0;border-bottom:1px solid #eee">${line.quantity} × ${escape(line.title)} (${escape(line.variant_title)})</td><td align="right" style="padding:8px 0;border-bottom:1px solid #eee">€${line.price}</td></tr>`).join('');
const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Order ${escape(order.name)}</title></head>
<body style="margin:0;background:#f4f4f4;font-family:Helvetica,Arial,sans-serif;color:#222">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">
<table role="presentation" width="600" cellpadding="0" cellspacing="0" style="background:#fff;border-radius:6px">
<tr><td style="padding:24px"><h1 style="font-size:22px">Thank you for your order, ${escape(order.customer.first_name)}!</h1>
<p>We have received your order ${escape(order.name)} and are getting it ready.</p>
<p><a href="${escape(order.order_status_url)}" style="background:#222;color:#fff;padding:12px 20px">View your order</a></p>
<table role="presentation" width="100%">${lines}</table>
<table role="presentation" width="100%"><tr><td>Subtotal</td><td align="right">€${order.subtotal_price}</td></tr>
<tr><td>Delivery</td><td align="right">€${order.shipping_lines[0].price}</td></tr>
<tr><td><b>Total</b></td><td align="right"><b>€${order.total_price}</b></td></tr></table>
<h2 style="font-size:16px">Delivery address</h2><p>${address(order.shipping_address)}</p>
<h2 style="font-size:16px">Billing address</h2><p>${address(order.billing_address)}</p>
<p style="color:#777;font-size:12px">Questions? Write to us: help@bench.example.com<br>Kiitos Bench</p>
</td></tr></table></td></tr></table></body></html>`;
global.get('transport').sendMail({
  from: 'Kiitos Bench <hello@bench.example.com>',
  to: order.email,
  subject: `Order ${order.name} confirmed – thank you!`,
  html,
}, error => { if (error) node.error(error); });
msg.payload = '';
return [msg, null];
