#include "aim/report/html.h"

namespace aim {
namespace {

constexpr const char* kStyle = R"css(
:root{--ink:#1c2430;--soft:#5d6b7c;--line:#dfe5ec;--paper:#fff;--ground:#f5f7fa;--good:#23805f;
--bad:#b8473a;--gate:#2f5d9b;--null:#9a7a1c;--bar:#a8d5c3}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:22px;margin:0 0 2px}h2{font-size:17px;margin:34px 0 10px}
p{margin:6px 0}.soft{color:var(--soft)}.small{font-size:13px}
.card{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:18px 20px}
.head{display:flex;gap:44px;align-items:center;margin-top:16px}.head .facts{flex:1;display:grid;grid-template-columns:repeat(3,1fr);gap:16px 26px}
.big{font-size:54px;font-weight:650;line-height:1;color:var(--good);white-space:nowrap}
.big small{font-size:26px;font-weight:500}
.facts{display:flex;gap:26px;flex-wrap:wrap}.head>div:first-child{white-space:nowrap}.fact{max-width:210px}.fact b{display:block;font-size:21px;font-weight:600}
.fact span{color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 7px;text-align:right;border-bottom:1px solid var(--line)}td{white-space:nowrap}
th{font-weight:600;font-size:13px;color:var(--soft);vertical-align:bottom}
td:first-child,th:first-child{text-align:left}tr.mean td{font-weight:600;border-bottom:0}
.wide{overflow-x:auto}svg{display:block;width:100%;height:auto}
.warn{border-left:4px solid var(--null);background:#fdf8e8}
.strip{margin:0 0 16px;break-inside:avoid}.strip img{width:100%;display:block;border-radius:6px;
margin-top:8px}
.badge{display:inline-block;padding:1px 9px;border-radius:9px;color:#fff;font-size:12.5px;
font-weight:600;margin-right:8px}.good{background:var(--good)}.bad{background:var(--bad)}
details{margin-top:12px}summary{cursor:pointer;color:var(--soft)}
pre{background:var(--ground);padding:12px;border-radius:8px;overflow-x:auto;font-size:12px;
line-height:1.4}
a{color:var(--gate)}
@media print{body{background:#fff;font-size:12px}main{max-width:none;padding:0}
.card{border-color:#ccc}.wide{overflow:visible}th,td{padding:4px 5px}}
)css";

}  // namespace

std::string PageHtml(std::string_view title, const std::string& body) {
  const std::string heading = EscapeHtml(title);
  return "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
         "content='width=device-width,initial-scale=1'><title>" +
         heading + "</title><style>" + kStyle + "</style><main><h1>" + heading + "</h1>" + body +
         "</main></html>\n";
}

}  // namespace aim
